//! Runs one after another, each with its own seed and as a process of its own: what one run leaves behind reaches no other.
//! `seeds` are the seeds, `summary` is what is printed.

mod seeds;
mod summary;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::slice;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::argv::Argv;
use super::command::{Arrival, Ended, Running};
use super::exec::{DescriptorLimit, OWN_PROGRAM, starter};
use super::report::Destination;
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
    /// The name of this program, as it was entered.
    pub name: OsString,
    /// The arguments of each run: the flags without the seed and the report.
    pub flags: Vec<OsString>,
    /// Where the reports go, if there shall be any.
    pub reports: Option<Destination>,
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
        signals::install(move |signal, source| {
            // Nothing is left to end once the receiver is gone.
            let _ = sender.send((signal, source));
        })?;
        let mut summary = Summary::default();
        let ended = self.run_all(&signals, &mut summary);
        // Also if a run could not be started: the others have their results.
        print(&summary.text(self));
        ended.map(|()| summary.exit_code())
    }

    fn run_all(&self, signals: &Receiver<Arrival>, summary: &mut Summary) -> io::Result<()> {
        for seed in self.seeds.iter() {
            let began = Instant::now();
            match self.run(seed, signals)? {
                Outcome::Interrupted(signal) => {
                    summary.interrupted = Some(signal);
                    return Ok(());
                }
                Outcome::Ended(ended) => self.count(summary, seed, ended, began.elapsed()),
            }
            if self.after_failure == AfterFailure::Stop && !summary.failures.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn run(&self, seed: u64, signals: &Receiver<Arrival>) -> io::Result<Outcome> {
        let running =
            Running::start(&mut starter(OsStr::new(OWN_PROGRAM), &self.command_of(seed), DescriptorLimit::current()))?;
        let mut interrupted = None;
        let ended = running.wait(signals, |arrival| {
            interrupted.get_or_insert(arrival.0);
            let _ = running.forward(arrival);
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

    /// The command that is one run, as a person enters it to repeat the run.
    fn command_of(&self, seed: u64) -> Argv {
        let report = self.reports.iter().flat_map(|it| ["--report".into(), it.of_seed(seed).into_os_string()]);
        let own: Vec<OsString> = report.chain(["--seed".into(), seed.to_string().into(), "--".into()]).collect();
        let program = slice::from_ref(&self.command.program);
        let arguments = [&self.flags[..], &own, program, &self.command.arguments].concat();
        Argv { program: self.name.clone(), arguments }
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
