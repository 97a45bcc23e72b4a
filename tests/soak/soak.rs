//! The soak test: a mixed load on one proxy for as long as is asked for, and then the question what is left of it. Fails
//! if any byte, FIN or RST is wrong, a connection, thread or descriptor is leaked, or memory keeps growing.
//!
//! `cargo bench --bench soak -- --seconds 300 --seed 7`, or `make soak`. The seed gives what each worker does; how they
//! come to stand beside each other is the machine's.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs, reason = "a program that talks to its user")]

mod arguments;
mod crew;
mod gate;
mod gauge;
mod lane;
mod loads;
mod log;
mod peer;
mod proxy;
mod tape;
mod verdict;
mod wrong;

use std::net::Ipv4Addr;
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use arguments::Wanted;
use crew::{Crew, Failure};
use proxy::Proxy;
use verdict::Limits;
use wrong::{Outcome, Wrong};

/// Between two status lines.
const STATUS: Duration = Duration::from_secs(5);

/// The baseline is taken after one of three parts of the time: by then each kind of load has run often.
const PARTS_WARMING_UP: u32 = 1;
const PARTS_AFTER_IT: u32 = 2;

/// How far the log may be behind the sockets.
const LOG_LAG: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let wanted = match arguments::wanted() {
        Ok(wanted) => wanted,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    println!("soak: {} s, seed {}", wanted.time.as_secs(), wanted.seed);
    match run(&wanted) {
        Ok(()) => println!("soak: all is well"),
        Err(wrong) => {
            eprintln!("soak: FAILED, seed {}: {wrong}", wanted.seed);
            // Workers may still be at something that does not end.
            process::exit(1);
        }
    }
    ExitCode::SUCCESS
}

fn run(wanted: &Wanted) -> Outcome {
    let ip = own_ip();
    let proxy = Proxy::start(ip, &crew::routes(ip), wanted.seed)?;
    let crew = Crew::assemble(ip, wanted.seed)?;
    let course = Course { proxy: &proxy, crew: &crew, began: Instant::now() };
    let at_ready = Limits::of_one_who_is_ready(proxy.gauge()?);
    let part = wanted.time / (PARTS_WARMING_UP + PARTS_AFTER_IT);
    course.work_for(part * PARTS_WARMING_UP)?;
    let warmed_up = at_ready.of_one_who_is_warm(course.quiet(&at_ready)?);
    course.work_for(part * PARTS_AFTER_IT)?;
    course.quiet(&warmed_up)?;
    crew.go_home()?;
    proxy.stop()
}

/// An address that no test and no other soak has: they are told apart by their process, this program by its end.
fn own_ip() -> Ipv4Addr {
    let [.., high, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, 254)
}

/// A run on its way.
struct Course<'a> {
    proxy: &'a Proxy,
    crew: &'a Crew,
    began: Instant,
}

impl Course<'_> {
    /// Load for `time`, with a status line now and then.
    fn work_for(&self, time: Duration) -> Outcome {
        let end = Instant::now() + time;
        self.crew.work();
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.crew.watch(left.min(STATUS)).map_err(|failure| self.with_log(failure))?;
            self.proxy.complain_of_alarms()?;
            self.tell_status()?;
        }
        Ok(())
    }

    /// Lets everything come to its end, and holds what is left of it against `limits`.
    fn quiet(&self, limits: &Limits) -> Outcome<gauge::Gauge> {
        self.crew.rest().map_err(|failure| self.with_log(failure))?;
        let left = verdict::what_is_left(self.proxy, limits)?;
        println!("{:5.0} s  quiet: {left}", self.began.elapsed().as_secs_f64());
        Ok(left)
    }

    fn tell_status(&self) -> Outcome {
        let done: Vec<_> = self.crew.done().into_iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let (seconds, gauge) = (self.began.elapsed().as_secs_f64(), self.proxy.gauge()?);
        println!("{seconds:5.0} s  {gauge}, {} MiB; {}", tape::verified_bytes() >> 20, done.join(", "));
        Ok(())
    }

    fn with_log(&self, failure: Failure) -> Wrong {
        // What the proxy has to say of it may be on its way still; nothing depends on it.
        thread::sleep(LOG_LAG);
        let log = self.proxy.log.last_of(&failure.worker);
        failure.into_wrong(&log)
    }
}
