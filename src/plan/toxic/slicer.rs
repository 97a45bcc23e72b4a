//! What a slicer is told: the sizes of its pieces, and how long it pauses between them.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::plan::Rejected;

/// Pieces of about one size, and a pause between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicer {
    average_size: NonZeroU32,
    size_variation: u32,
    /// From one piece to the next.
    pub delay: Micros,
}

impl Slicer {
    /// # Errors
    /// The variation is not smaller than the size: some pieces would be empty.
    pub fn new(average_size: NonZeroU32, size_variation: u32, delay: Micros) -> Result<Self, Rejected> {
        if size_variation >= average_size.get() {
            let what = format!("a variation of {size_variation} bytes leaves nothing of a size of {average_size}");
            return Err(Rejected::new(what, format!("use 0 to {}", average_size.get() - 1)));
        }
        Ok(Self { average_size, size_variation, delay })
    }

    /// The sizes of pieces in bytes, each as likely as the others; none is 0.
    #[must_use]
    pub fn sizes(&self) -> RangeInclusive<u64> {
        let (average, variation) = (u64::from(self.average_size.get()), u64::from(self.size_variation));
        average - variation..=average + variation
    }
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
