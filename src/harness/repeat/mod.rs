//! Runs one after another, each with its own seed and as a process of its own: what one run leaves behind reaches no other.
//! `seeds` are the seeds, `summary` is what is printed.

mod seeds;
mod summary;

use std::ffi::OsString;
use std::io::{self, Write};
use std::slice;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::argv::Argv;
use super::command::{Ended, Running};
use super::exec::{DescriptorLimit, starter};
use crate::signals;
use crate::stop::Signal;
pub use seeds::Seeds;
use summary::{FailedRun, Progress, Summary};

/// Whether a series goes on after a run that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It ends.
    Stop,
    /// It goes on.
    GoOn,
}

/// Runs that differ in their seed.
#[derive(Clone, Debug)]
pub struct Series {
    /// The arguments of each run: the flags without the seed.
    pub flags: Vec<OsString>,
    /// The wrapped command.
    pub command: Argv,
    /// The seeds of the runs.
    pub seeds: Seeds,
    /// What happens after a failure.
    pub after_failure: AfterFailure,
}

impl Series {
    /// Executes the runs, prints the progress and a summary to stderr, and returns the exit code: that of the first run
    /// that has failed, or 0. The first signal ends the series; it is forwarded to the run, as all others are. Call it from
    /// the main thread.
    ///
    /// # Errors
    /// A handler of signals can't be set, or a run can't be started.
    pub fn execute(&self) -> io::Result<u8> {
        let (sender, signals) = crossbeam_channel::unbounded();
        signals::block_quit()?;
        signals::install(move |signal| {
            // Nothing is left to end once the receiver is gone.
            let _ = sender.send(signal);
        })?;
        let mut summary = Summary::default();
        for seed in self.seeds.iter() {
            let began = Instant::now();
            match self.run(seed, &signals)? {
                Outcome::Interrupted(signal) => {
                    summary.interrupted = Some(signal);
                    break;
                }
                Outcome::Ended(ended) => self.count(&mut summary, seed, ended, began.elapsed()),
            }
            if self.after_failure == AfterFailure::Stop && !summary.failures.is_empty() {
                break;
            }
        }
        print(&summary.text(self));
        Ok(summary.exit_code())
    }

    fn run(&self, seed: u64, signals: &Receiver<Signal>) -> io::Result<Outcome> {
        let running = Running::start(&mut starter(&self.own_command(seed), DescriptorLimit::current()))?;
        let mut interrupted = None;
        let ended = running.wait(signals, |signal| {
            interrupted.get_or_insert(signal);
            let _ = running.forward(signal);
        });
        Ok(interrupted.map_or(Outcome::Ended(ended), Outcome::Interrupted))
    }

    fn count(&self, summary: &mut Summary, seed: u64, ended: Ended, lasted: Duration) {
        summary.done += 1;
        summary.lasted += lasted;
        if ended.exit_code() != 0 {
            summary.failures.push(FailedRun { seed, ended, lasted });
        }
        print(&Progress { summary, runs: self.seeds.len(), seed, ended, lasted }.to_string());
    }

    /// The command that starts one run.
    fn own_command(&self, seed: u64) -> Argv {
        Argv { program: "/proc/self/exe".into(), arguments: self.arguments(seed) }
    }

    /// What a person enters to repeat one run.
    fn shown_command(&self, seed: u64) -> Argv {
        Argv { program: "chaos-proxy".into(), arguments: self.arguments(seed) }
    }

    fn arguments(&self, seed: u64) -> Vec<OsString> {
        let seed = ["--seed".into(), seed.to_string().into(), "--".into()];
        let program = slice::from_ref(&self.command.program);
        [&self.flags[..], &seed, program, &self.command.arguments].concat()
    }
}

/// How a run of a series has ended.
enum Outcome {
    Ended(Ended),
    /// A signal has arrived, so that its result says nothing.
    Interrupted(Signal),
}

fn print(text: &str) {
    // If stderr is closed, the exit code is the only report.
    let _ = io::stderr().write_all(text.as_bytes());
}
