//! What was found to be wrong, and which line found it. Who was at what when it happened is the crew's to add.

use std::fmt;
use std::io;
use std::panic::Location;

/// What comes of anything that may turn out wrong.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Something that must not be.
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

    /// The same, with who found it before it and what else is known behind it.
    pub fn with_context(self, before: &str, after: &str) -> Self {
        Self { what: format!("{before}: {}{after}", self.what), ..self }
    }
}

impl From<io::Error> for Failure {
    /// Of the `?` that met the error, not of this line.
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

/// It is wrong unless it `holds`.
#[track_caller]
pub fn ensure(holds: bool, failure: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure::new(failure())) }
}
