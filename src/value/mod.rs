//! The values of routes and toxics: numbers, names and words that are checked once, when they are parsed, and
//! [`Rejected`], the reason for a failed check. Imports nothing of this crate. Checks across several values are in the
//! modules that combine them.

mod amount;
mod destination;
mod host;
mod key;
mod name;
mod number;
mod scalar;
mod selector;
mod stream;
mod time_span;
mod trigger;
mod variable;
mod word;

use std::fmt;

pub use destination::Destination;
pub use host::has_host_characters;
pub use key::{Key, Presence};
pub use name::{RouteName, ToxicName};
pub use number::{Bytes, Micros, Millis, Port, Probability, Rate, Seed, Size, StreamLength, Timeout};
pub use scalar::{Bounds, Kind, Scalar, Unit, Written};
pub use selector::{Connections, Network, Offsets, Selector, Window};
pub use stream::{CloseMode, Direction, Stream};
pub use time_span::TimeSpan;
pub use trigger::{Mark, MessagePart, MessagePoint, Notation, Nth, Pattern, Then, Trigger};
pub use variable::reject_variable;
pub(crate) use word::{flag, text, words};

/// The reason why a text or a number is not a value of a type, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong, including the invalid value.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl Rejected {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.hint)
    }
}

impl std::error::Error for Rejected {}
