//! A failed check with the source line that found it. `workers` adds the worker and its step.

use std::fmt;
use std::io;
use std::panic::Location;

/// The result of a step or check.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A failed check.
#[derive(Debug)]
pub struct Failure {
    what: String,
    found_at: &'static Location<'static>,
}

impl Failure {
    #[track_caller]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), found_at: Location::caller() }
    }

    /// Adds context before and after the message.
    pub fn with_context(self, before: &str, after: &str) -> Self {
        Self { what: format!("{before}: {}{after}", self.what), ..self }
    }
}

impl From<io::Error> for Failure {
    /// Records the line of the `?` that converts the error.
    #[track_caller]
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.found_at.file(), self.found_at.line(), self.what)
    }
}

/// Fails unless the condition `holds`.
#[track_caller]
pub fn ensure(holds: bool, failure: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure::new(failure())) }
}
