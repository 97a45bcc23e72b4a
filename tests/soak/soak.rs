//! The soak test: a mixed load on one proxy for as long as is asked for, and then the question what is left of it. Fails
//! if any byte, FIN or RST is wrong, a connection, thread or descriptor is leaked, or memory keeps growing.
//!
//! `cargo bench --bench soak -- --seconds 300 --seed 7`, or `make soak`. The seed gives what each worker does; how they
//! come to stand beside each other is the machine's.
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

/// Between two status lines.
const STATUS: Duration = Duration::from_secs(5);

/// The baseline is taken after one of three parts of the time: by then each kind of load has run often.
const PARTS_WARMING_UP: u32 = 1;
const PARTS_AFTER_IT: u32 = 2;

/// How far the log may be behind the sockets.
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
        Ok(()) => println!("soak: all is well"),
        Err(failure) => {
            eprintln!("soak: FAILED, seed {}: {failure}", options.seed);
            // Workers may still be at something that does not end.
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
    let at_ready = Limits::before_load(proxy.usage()?);
    let part = options.time / (PARTS_WARMING_UP + PARTS_AFTER_IT);
    soak.work_for(part * PARTS_WARMING_UP)?;
    let warmed_up = at_ready.after_warm_up(soak.quiet(&at_ready)?);
    soak.work_for(part * PARTS_AFTER_IT)?;
    soak.quiet(&warmed_up)?;
    workers.join()?;
    proxy.stop()
}

/// An address that no test and no other soak has: they are told apart by their process, this program by its end.
fn own_ip() -> Ipv4Addr {
    let [.., high, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, 254)
}

/// A run on its way.
struct Soak<'a> {
    proxy: &'a Proxy,
    workers: &'a Workers,
    began: Instant,
}

impl Soak<'_> {
    /// Load for `time`, with a status line now and then.
    fn work_for(&self, time: Duration) -> Outcome {
        let end = Instant::now() + time;
        self.workers.resume();
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.workers.watch(left.min(STATUS)).map_err(|failure| self.with_log(failure))?;
            self.proxy.check_log()?;
            self.tell_status()?;
        }
        Ok(())
    }

    /// Lets everything come to its end, and holds what is left of it against `limits`.
    fn quiet(&self, limits: &Limits) -> Outcome<usage::Usage> {
        self.workers.pause().map_err(|failure| self.with_log(failure))?;
        let left = leak_check::check(self.proxy, limits)?;
        println!("{:5.0} s  quiet: {left}", self.began.elapsed().as_secs_f64());
        Ok(left)
    }

    fn tell_status(&self) -> Outcome {
        let done: Vec<_> = self.workers.done().into_iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let (seconds, usage) = (self.began.elapsed().as_secs_f64(), self.proxy.usage()?);
        println!("{seconds:5.0} s  {usage}, {} MiB; {}", payload::verified_bytes() >> 20, done.join(", "));
        Ok(())
    }

    fn with_log(&self, failure: WorkerFailure) -> Failure {
        // What the proxy has to say of it may be on its way still; nothing depends on it.
        thread::sleep(LOG_LAG);
        let log = self.proxy.log.last_lines(&failure.worker);
        failure.into_failure(&log)
    }
}
