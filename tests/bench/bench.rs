//! The benchmark, `make bench`: compares chaos-proxy with no proxy and with its peers, on this machine, in one run. It
//! asserts nothing: figures depend on the machine, and only the ratios within one run can be compared.
//! `tests/bench/README.md` describes the measurements.
//!
//! ```text
//! options ──► rounds ──► measure ──► upstream, load, guard    (this program again, each as a subprocess)
//!               │
//!               └──► results ──► report: Markdown, JSON, SVG
//! ```
//!
//! Upstream and load are processes of their own, so that the CPU and memory of the proxy can be measured; they are the same
//! for every target. The benchmark needs Linux: epoll, /proc and process clocks. `cargo test` measures nothing; the arithmetic
//! has its tests in `tests/bench_summary.rs`.

// Counts become figures of three digits.
#![allow(clippy::cast_precision_loss, clippy::print_stdout, clippy::print_stderr)]

mod guard;
mod load;
mod machine;
mod measure;
mod options;
mod poller;
mod process_group;
mod report;
mod results;
mod rounds;
mod scenario;
mod subprocess;
mod summary;
mod target;
mod testbed;
mod upstream;
mod wire;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

use machine::Machine;
use options::{HELP, Options, Request};

/// The report lists an error of a measurement with its reason.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Outcome<()> {
    match args {
        ["upstream", args @ ..] => subprocess::report_failure(upstream::run(args)),
        ["load", args @ ..] => subprocess::report_failure(load::run(args)),
        ["guard", args @ ..] => subprocess::report_failure(guard::run(args)),
        _ => match options::parse(args)? {
            Request::Help => print!("{HELP}"),
            Request::Nothing => eprintln!("bench: this is a benchmark, nothing is measured; `cargo bench` runs it"),
            Request::Measure(options) => measure(&options)?,
        },
    }
    Ok(())
}

fn measure(options: &Options) -> Outcome<()> {
    let machine = Machine::detect();
    let results = rounds::run(options);
    println!("{}", report::markdown(&machine, options, &results));
    if let Some(path) = &options.json {
        fs::write(path, report::json(&machine, options, &results)?)?;
    }
    if let Some(path) = &options.svg {
        fs::write(path, report::svg(&results))?;
    }
    Ok(())
}
