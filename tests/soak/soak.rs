//! The soak test: runs a mixed load on one proxy for the given time, then checks for leaks. Fails if a byte, FIN or RST
//! is wrong, if a connection, thread or descriptor is leaked, or if memory keeps growing.
//!
//! Run it with `cargo bench --bench soak -- --seconds 300 --seed 7`, or `make soak`. The seed determines what each
//! worker does, but not how the workers interleave.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs, reason = "a program that talks to its user")]

mod failure;
mod leak_check;
mod loads;
mod log;
mod options;
mod payload;
mod peer;
mod proxy;
mod route;
mod run_state;
mod usage;
mod workers;

use std::net::Ipv4Addr;
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use failure::{Failure, Outcome};
use leak_check::Limits;
use options::Options;
use proxy::Proxy;
use workers::{WorkerFailure, Workers};

/// The interval of status lines.
const STATUS: Duration = Duration::from_secs(5);

/// The memory baseline is taken after a third of the time, when each kind of load has run many times.
const WARM_UP_PARTS: u32 = 1;
const MEASURED_PARTS: u32 = 2;

/// How long a log line may take to arrive after the event on the sockets.
const LOG_LAG: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    println!("soak: {} s, seed {}", options.time.as_secs(), options.seed);
    match run(&options) {
        Ok(()) => println!("soak: passed"),
        Err(failure) => {
            eprintln!("soak: FAILED, seed {}: {failure}", options.seed);
            // Does not join the workers: one of them may be stuck.
            process::exit(1);
        }
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Outcome {
    let ip = own_ip();
    let proxy = Proxy::start(ip, &workers::route_configs(ip), options.seed)?;
    let workers = Workers::start_paused(ip, options.seed)?;
    let soak = Soak { proxy: &proxy, workers: &workers, began: Instant::now() };
    let before_load = Limits::before_load(proxy.usage()?);
    let part = options.time / (WARM_UP_PARTS + MEASURED_PARTS);
    soak.load_for(part * WARM_UP_PARTS)?;
    let warmed_up = before_load.after_warm_up(soak.check_leaks(&before_load)?);
    soak.load_for(part * MEASURED_PARTS)?;
    soak.check_leaks(&warmed_up)?;
    workers.join()?;
    proxy.stop()
}

/// An address that no test and no other soak uses: it contains the process id, and only the soak's addresses end in
/// 254.
fn own_ip() -> Ipv4Addr {
    let [.., high, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, 254)
}

/// A running soak test.
struct Soak<'a> {
    proxy: &'a Proxy,
    workers: &'a Workers,
    began: Instant,
}

impl Soak<'_> {
    /// Runs the load for `time` and prints status lines.
    fn load_for(&self, time: Duration) -> Outcome {
        let end = Instant::now() + time;
        self.workers.resume();
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.workers.watch(left.min(STATUS)).map_err(|failure| self.with_log(failure))?;
            self.proxy.check_log()?;
            self.print_status()?;
        }
        Ok(())
    }

    /// Pauses the workers, then checks what the proxy still holds against `limits`.
    fn check_leaks(&self, limits: &Limits) -> Outcome<usage::Usage> {
        self.workers.pause().map_err(|failure| self.with_log(failure))?;
        let left = leak_check::check(self.proxy, limits)?;
        println!("{:5.0} s  paused: {left}", self.began.elapsed().as_secs_f64());
        Ok(left)
    }

    fn print_status(&self) -> Outcome {
        let done: Vec<_> = self.workers.done().into_iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let (seconds, usage) = (self.began.elapsed().as_secs_f64(), self.proxy.usage()?);
        println!("{seconds:5.0} s  {usage}, {} MiB; {}", payload::verified_bytes() >> 20, done.join(", "));
        Ok(())
    }

    fn with_log(&self, failure: WorkerFailure) -> Failure {
        // The last lines may still be on their way. They are only printed, so a missing one does no harm.
        thread::sleep(LOG_LAG);
        let log = self.proxy.log.last_lines(&failure.worker);
        failure.into_failure(&log)
    }
}
