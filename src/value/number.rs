//! Numbers in their ranges: ports, probabilities, durations and rates.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::Rejected;

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
    pub(crate) const fn per_mille(share: u16) -> Self {
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
    pub(crate) const fn literal(millis: u32) -> Self {
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

    pub(crate) const fn literal(millis: NonZeroU32) -> Self {
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

/// A duration of 0 to 4,294,967,295 µs (71 minutes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Micros(u32);

impl Micros {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl TryFrom<i128> for Micros {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        u32::try_from(number).map(Self).map_err(|_| {
            let what = format!("{number} µs {}", if number < 0 { "is negative" } else { "is out of range" });
            Rejected::new(what, format!("use whole microseconds, 0 to {}", u32::MAX))
        })
    }
}

/// A number of KB/s, each 1,000 bytes a second; 0 is a link that nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    pub(crate) const fn literal(kilobytes_per_second: u32) -> Self {
        Self(kilobytes_per_second)
    }

    pub(crate) const NOTHING: Self = Self(0);

    /// Bytes a second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        u64::from(self.0) * 1000
    }
}

impl TryFrom<i128> for Rate {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let in_range = u32::try_from(number).map(Self);
        in_range.map_err(|_| {
            let what = format!("{number} KB/s {}", if number < 0 { "is negative" } else { "is out of range" });
            Rejected::new(what, format!("use whole KB/s (1 KB = 1000 bytes), 0 (nothing passes) to {}", u32::MAX))
        })
    }
}
