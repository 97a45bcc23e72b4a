//! The newtypes of a plan: numbers and words that have been checked once, and [`Rejected`], which says why one was not
//! taken. What refers to several values at once lives in `conflict`.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

/// Why a text or a number is not a value of some type, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong, with the offending value in it.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl Rejected {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.hint)
    }
}

impl std::error::Error for Rejected {}

/// A TCP port that can be listened on: 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(NonZeroU16);

impl Port {
    /// The number, never 0.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<i128> for Port {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let port = u16::try_from(number).ok().and_then(NonZeroU16::new);
        port.map(Self).ok_or_else(|| Rejected::new(format!("port {number} is out of range"), "use 1 to 65535"))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A chance from 0.0 (never) to 1.0 (always), both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// 1.0.
    pub const ALWAYS: Self = Self(1.0);

    /// A share of a thousand.
    pub(super) const fn per_mille(share: u16) -> Self {
        assert!(share <= 1000, "no more than all");
        Self(share as f64 / 1000.0)
    }

    /// As a number from 0.0 to 1.0.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = Rejected;

    fn try_from(number: f64) -> Result<Self, Rejected> {
        if (0.0..=1.0).contains(&number) {
            // -0.0 is in the range; plus 0.0 makes it print as 0.
            return Ok(Self(number + 0.0));
        }
        let mut hint = "use 0.0 (never) to 1.0 (always)".to_owned();
        if (1.0..=100.0).contains(&number) {
            // Rounded, because 1.1 / 100.0 prints as 0.011000000000000001.
            let share = (number * 1e6).round() / 1e8;
            hint = format!("{hint}; {number} % is {share}");
        }
        // Debug turns to an exponent where Display writes out 300 digits.
        let number = format!("{number:?}");
        Err(Rejected::new(format!("{} is not a probability", number.trim_end_matches(".0")), hint))
    }
}

/// A duration of 0 to 4,294,967,295 ms (49 days), so that no sum with a clock's reading overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(u32);

impl Millis {
    pub(super) const fn literal(millis: u32) -> Self {
        Self(millis)
    }

    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }

    /// As a number of milliseconds.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i128> for Millis {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let in_range = u32::try_from(number).map(Self);
        in_range.map_err(|_| out_of_range(number, 0))
    }
}

/// A limit of 1 to 4,294,967,295 ms on how long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(NonZeroU32);

impl Timeout {
    /// How long an upstream has to accept where the route says nothing: 10 s.
    pub const CONNECT: Self = Self(NonZeroU32::new(10_000).expect("10,000 is not 0"));

    pub(super) const fn literal(millis: NonZeroU32) -> Self {
        Self(millis)
    }

    /// As a duration, never zero.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.get().into())
    }
}

impl TryFrom<i128> for Timeout {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let in_range = u32::try_from(number).ok().and_then(NonZeroU32::new).map(Self);
        in_range.ok_or_else(|| out_of_range(number, 1))
    }
}

fn out_of_range(number: i128, least: u32) -> Rejected {
    let what = if number < 0 { "is negative" } else { "is out of range" };
    Rejected::new(format!("{number} ms {what}"), format!("use whole milliseconds, {least} to {}", u32::MAX))
}

/// What a route is called: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName(String);

impl RouteName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Port> for RouteName {
    fn from(port: Port) -> Self {
        Self(port.to_string())
    }
}

impl FromStr for RouteName {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        name(text).map(Self)
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most characters that a name may have.
const LONGEST_NAME: usize = 100;

/// What a route or a toxic may be called.
pub(super) fn name(text: &str) -> Result<String, Rejected> {
    let length = text.chars().count();
    let what = match length {
        0 => "the name is empty".to_owned(),
        1..=LONGEST_NAME if text.chars().any(char::is_control) => "the name has a control character in it".to_owned(),
        1..=LONGEST_NAME => return Ok(text.to_owned()),
        _ => format!("the name is {length} characters long"),
    };
    Err(Rejected::new(what, format!("use 1 to {LONGEST_NAME} printable characters")))
}
