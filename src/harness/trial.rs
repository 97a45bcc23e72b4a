//! One run of a command under a config of its own: a process of its own, with a time limit and with a log that is read
//! when it has ended. What is tried, and why, is decided by the caller.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::slice;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use serde_json::Value;
use tempfile::TempDir;

use super::argv::Argv;
use super::command::{Arrival, Ended, Running, Waited};
use super::exec::{DescriptorLimit, OWN_PROGRAM, starter};
use crate::logging::LogLevel;
use crate::signals;
use crate::stop::Signal;
use crate::units::duration;

/// The time from the end of the command until its connections are cut. A run whose server keeps them open would last for the
/// usual time of a drain.
const DRAIN_SECONDS: &str = "1";

/// The exit code of a run that has not met an expectation.
const UNMET: u8 = 4;

/// How many times as long as the first run another one may take, and the least time for it.
const PATIENCE: u32 = 10;
const LEAST_TIMEOUT: Duration = Duration::from_secs(10);

/// What is run in each trial.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The command.
    pub command: Argv,
    /// The flags of chaos-proxy that each run gets.
    pub flags: Vec<OsString>,
    /// The most time that a run may take.
    pub timeout: Option<Duration>,
}

impl Subject {
    /// The words of the command.
    #[must_use]
    pub fn words(&self) -> Vec<OsString> {
        [slice::from_ref(&self.command.program), &self.command.arguments].concat()
    }

    /// The most time for a run, after one that has taken this long.
    #[must_use]
    pub fn limit(&self, lasted: Duration) -> Duration {
        self.timeout.unwrap_or_else(|| LEAST_TIMEOUT.max(lasted * PATIENCE))
    }
}

/// Starts trials, one after the other.
#[derive(Debug)]
pub struct Trials {
    subject: Subject,
    log: LogLevel,
    directory: TempDir,
    signals: Receiver<Arrival>,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Trial {
    end: TrialEnd,
    /// Its log, as objects of JSON.
    log: Vec<Value>,
    /// How long it has taken.
    pub lasted: Duration,
}

#[derive(Clone, Copy, Debug)]
enum TrialEnd {
    Ended(Ended),
    /// It was killed after this time.
    TimedOut(Duration),
}

/// Why there is no trial.
#[derive(Debug)]
pub enum NoTrial {
    /// This signal has arrived.
    Interrupted(Signal),
    /// The run can't be started, or its files can't be written or read.
    Failed(io::Error),
}

impl From<io::Error> for NoTrial {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a search by trials has no result.
#[derive(Debug)]
pub enum NoResult {
    /// The command does not do what the search needs.
    Unsuitable(String),
    /// The system or a file is in the way.
    Failed(io::Error),
    /// This signal has arrived before anything was found.
    Interrupted(Signal),
}

impl From<io::Error> for NoResult {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<NoTrial> for NoResult {
    fn from(error: NoTrial) -> Self {
        match error {
            NoTrial::Interrupted(signal) => Self::Interrupted(signal),
            NoTrial::Failed(error) => Self::Failed(error),
        }
    }
}

impl Trials {
    /// Prepares runs of `subject` with this level of the log, at least `Faults`. From now on, a signal ends the present run and no other.
    ///
    /// # Errors
    /// A handler of signals can't be set, or there is no place for temporary files.
    pub fn new(subject: Subject, log: LogLevel) -> io::Result<Self> {
        let (sender, signals) = crossbeam_channel::unbounded();
        signals::block_quit()?;
        signals::install(move |signal, source| {
            // Nothing is left to end once the receiver is gone.
            let _ = sender.send((signal, source));
        })?;
        Ok(Self { subject, log, directory: tempfile::Builder::new().prefix("chaos-proxy-").tempdir()?, signals })
    }

    /// A path for a file of the runs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the command of the last run has printed.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.path("output")
    }

    /// Runs the command under this config, with further flags. Kills both after `limit`. Call it from the main thread.
    ///
    /// # Errors
    /// A signal has arrived, or the run can't be started.
    pub fn run(&self, config: &Value, limit: Option<Duration>, flags: &[OsString]) -> Result<Trial, NoTrial> {
        let (file, log) = (self.path("config.json"), self.path("log"));
        fs::write(&file, config.to_string())?;
        fs::write(&log, "")?;
        let began = Instant::now();
        let running = self.start(&file, &log, flags)?;
        let end = match running.wait_until(&self.signals, limit.map(|limit| began + limit)) {
            Waited::Ended(ended) => TrialEnd::Ended(ended),
            Waited::Signalled(signal) => {
                running.kill_group();
                return Err(NoTrial::Interrupted(signal));
            }
            Waited::Due => {
                running.kill_group();
                TrialEnd::TimedOut(limit.unwrap_or_default())
            }
        };
        let lasted = began.elapsed();
        let lines = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(Trial { end, log: lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(), lasted })
    }

    /// The command can't read the terminal: it is not in the foreground there.
    fn start(&self, config: &Path, log: &Path, flags: &[OsString]) -> io::Result<Running> {
        let log_flags =
            ["--log", self.log.as_str(), "--log-format", "json", "--drain-timeout", DRAIN_SECONDS].map(OsString::from);
        let files = ["--config".into(), config.into(), "--log-file".into(), log.into()];
        let arguments =
            [&files, &log_flags[..], &self.subject.flags, flags, &["--".into()], &self.subject.words()].concat();
        let argv = Argv { program: "chaos-proxy".into(), arguments };
        let output = File::create(self.output())?;
        let mut starter = starter(OsStr::new(OWN_PROGRAM), &argv, DescriptorLimit::current());
        starter.process_group(0).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Running::start(&mut starter)
    }
}

impl Trial {
    /// How the run has failed. `None` if it has succeeded.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match self.end {
            TrialEnd::TimedOut(limit) => Some(format!("no end within {}", duration(limit))),
            TrialEnd::Ended(Ended::Exited(0)) => None,
            TrialEnd::Ended(ended) => Some(self.unmet_expectation(ended).unwrap_or_else(|| ended.to_string())),
        }
    }

    /// The first expectation that the run has not met. The exit code alone could be that of the command.
    fn unmet_expectation(&self, ended: Ended) -> Option<String> {
        let mut failed = self.log.iter().filter(|line| line["msg"] == "expectation failed");
        let line = failed.next().filter(|_| ended == Ended::Exited(UNMET))?;
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        Some(format!("expectation failed: {} {}, got {}", text("metric"), text("want"), text("got")))
    }

    /// Whether the toxic of this name has acted.
    #[must_use]
    pub fn has_acted(&self, toxic: &str) -> bool {
        self.log.iter().any(|line| line["toxic"] == toxic)
    }

    /// The log, as objects of JSON.
    #[must_use]
    pub fn into_log(self) -> Vec<Value> {
        self.log
    }
}
