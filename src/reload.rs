//! Loads the config file again and makes it live. `signals` (SIGHUP), `watch` (a changed file) and `admin` (a request)
//! trigger it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{self, Defaults, Lookup, Position, Report};
use crate::event::{Event, Origin, emit};
use crate::plan::{Plan, PlanDifference, plan_differences};
use crate::proxy::{AppliedChange, ApplyError};

/// The config file of a run.
pub struct Reloader {
    path: PathBuf,
    /// What was in it at the start.
    first: Plan,
    defaults: Defaults,
    make_live: MakeLive,
    /// Locked during a reload, so that the file that was read last is the one that is live. No connection waits for it.
    turn: Mutex<()>,
    counters: Counters,
}

/// Makes the routes of a plan live.
type MakeLive = Box<dyn Fn(&Plan, Origin) -> Result<Vec<AppliedChange>, ApplyError> + Send + Sync>;

#[derive(Debug)]
struct Counters {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// In milliseconds since 1970.
    last_success: AtomicU64,
}

/// The results of all reloads so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// The number of files that were made live.
    pub succeeded: u64,
    /// The number of files that were not.
    pub failed: u64,
    /// When a file was last made live. The start of the run counts.
    pub last_success: SystemTime,
}

/// Why a file was not made live.
#[derive(Debug)]
pub enum ReloadError {
    /// It has these problems. Nothing has changed.
    Invalid(Report),
    /// Its routes can't be made live.
    Apply(ApplyError),
    /// A pipe or a device has taken its place.
    NotAFile(PathBuf),
}

impl Reloader {
    /// The file at `path`, of which `first` is live since now. Not for stdin, which can't be read twice. `make_live` is
    /// called with what the file has then.
    #[must_use]
    pub fn new(
        path: PathBuf,
        first: Plan,
        defaults: Defaults,
        make_live: impl Fn(&Plan, Origin) -> Result<Vec<AppliedChange>, ApplyError> + Send + Sync + 'static,
    ) -> Self {
        let make_live = Box::new(make_live);
        Self { path, first, defaults, make_live, turn: Mutex::default(), counters: Counters::new() }
    }

    /// Makes the routes of the file live, and logs the result. The seed and the admin server of the run stay.
    ///
    /// # Errors
    /// The file has problems, or its routes can't be made live.
    pub fn reload(&self, origin: Origin) -> Result<Vec<AppliedChange>, ReloadError> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.apply(origin);
        match &result {
            Ok(_) => self.counters.count_success(),
            Err(_) => self.counters.count_failure(),
        }
        drop(turn);
        report(origin, &result);
        result
    }

    fn apply(&self, origin: Origin) -> Result<Vec<AppliedChange>, ReloadError> {
        if !is_reloadable(&self.path) {
            return Err(ReloadError::NotAFile(self.path.clone()));
        }
        let loaded = config::load(&self.path, self.defaults).map_err(ReloadError::Invalid)?;
        loaded.lookups.iter().for_each(Lookup::log);
        let changes = (self.make_live)(&loaded.value, origin).map_err(ReloadError::Apply)?;
        self.warn_without_effect(&loaded.value);
        Ok(changes)
    }

    /// Logs the changes that only a new start makes live.
    fn warn_without_effect(&self, plan: &Plan) {
        for difference in plan_differences(&self.first, plan) {
            if let PlanDifference::File(difference) = difference {
                emit(&Event::NeedsRestart(&difference));
            }
        }
    }

    /// The results so far.
    #[must_use]
    pub fn results(&self) -> Reloads {
        self.counters.read()
    }
}

/// Whether a config can be read again. Reading a pipe or a device could take forever. A missing file and a directory
/// count as well: loading them fails with a better reason.
#[must_use]
pub fn is_reloadable(path: &Path) -> bool {
    path != Path::new("-") && fs::metadata(path).map_or(true, |found| found.is_file() || found.is_dir())
}

impl Counters {
    fn new() -> Self {
        let counters =
            Self { succeeded: AtomicU64::new(0), failed: AtomicU64::new(0), last_success: AtomicU64::new(0) };
        counters.set_last_success();
        counters
    }

    fn count_success(&self) {
        self.succeeded.fetch_add(1, Ordering::Relaxed);
        self.set_last_success();
    }

    fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn set_last_success(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn read(&self) -> Reloads {
        Reloads {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            last_success: UNIX_EPOCH + Duration::from_millis(self.last_success.load(Ordering::Relaxed)),
        }
    }
}

/// The routes that have changed are logged by the supervisor.
fn report(origin: Origin, result: &Result<Vec<AppliedChange>, ReloadError>) {
    match result {
        Ok(changes) => emit(&Event::Reloaded(origin, changes.len())),
        Err(error) => {
            if let ReloadError::Invalid(report) = error {
                log_problems(report);
            }
            emit(&Event::ReloadFailed(origin, error));
        }
    }
}

/// One line for each problem, so that a log in JSON stays one.
fn log_problems(report: &Report) {
    for (position, problem) in report.problems().take(Report::MAX_LISTED) {
        let at = place(report.name(), position);
        emit(&Event::ConfigProblem { at: &at, problem: problem.what(), hint: problem.hint() });
    }
}

fn place(file: &str, position: Option<Position>) -> String {
    match position {
        Some(Position { line, column }) => format!("{file}:{line}:{column}"),
        None => file.to_owned(),
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(report) => f.write_str(&report.summary()),
            Self::Apply(error) => error.fmt(f),
            Self::NotAFile(path) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is a pipe or a device now: put a regular file there, reading this one could take forever"
                )
            }
        }
    }
}

impl std::error::Error for ReloadError {}
