//! What a bandwidth is told: the rate of a link, how far ahead of it bytes may be, and who shares it.

use crate::plan::Rejected;

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    rate: Rate,
    burst: u32,
    sharing: Sharing,
}

impl Bandwidth {
    /// A bucket that is filled at `rate` and holds `burst` bytes.
    ///
    /// # Errors
    /// There is a burst, but the rate is 0: nothing passes, the first bytes neither.
    pub fn new(rate: Rate, burst: u32, sharing: Sharing) -> Result<Self, Rejected> {
        if burst > 0 && rate == Rate::NOTHING {
            let what = format!("a burst of {burst} bytes changes nothing at a rate of 0: nothing passes");
            return Err(Rejected::new(what, "use 0, or a rate of 1 KB/s or more"));
        }
        Ok(Self { rate, burst, sharing })
    }

    /// One without a burst, which can be at any rate.
    pub(in crate::plan) const fn literal(kilobytes_per_second: u32, sharing: Sharing) -> Self {
        Self { rate: Rate(kilobytes_per_second), burst: 0, sharing }
    }

    /// What it is filled at.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many bytes it holds: what passes at once after a pause.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Who takes from it.
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }
}

/// A number of KB/s, each 1,000 bytes a second; 0 is a link that nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    const NOTHING: Self = Self(0);

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

/// Who takes from a token bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Each connection has its own for each direction.
    #[default]
    Own,
    /// All connections of the route take from one for each direction.
    Shared,
}
