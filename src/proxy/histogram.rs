//! A histogram of durations. Which durations are counted is `counters`.

use std::time::Duration;

/// A count of durations by their length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len()],
    /// The number of durations, those above the last bound included.
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// The upper bounds of the buckets, in seconds: from a dial on this machine to a connection that lasts for an hour.
    pub const BOUNDS: [f64; 16] =
        [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum += duration;
    }

    /// The number of durations in each bucket of [`BOUNDS`](Self::BOUNDS), without those of the smaller ones.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of all durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all durations.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for millis in [1, 5, 6, 4_000_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let filled: Vec<(f64, u64)> = Histogram::BOUNDS
            .into_iter()
            .zip(histogram.counts().iter().copied())
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0.001, 1), (0.005, 1), (0.01, 1)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_millis(4_000_012)));
    }
}
