//! A histogram of durations with a fixed number of buckets. Which durations are counted is `counters`.
//!
//! Buckets are log-linear, as those of `HdrHistogram`: each power of two of nanoseconds has [`STEPS`] buckets of equal
//! width. So a bucket is at most 1/32 of its lower bound wide, and the middle of it is at most 1/64 (1.6 %) from any
//! duration in it.

use std::time::Duration;

/// The number of buckets for each power of two.
const STEPS: usize = 1 << STEP_BITS;
const STEP_BITS: u32 = 5;

/// 2^47 ns are 39 hours. Longer durations are counted in the last bucket.
const MAX_BITS: u32 = 47;

/// The first [`STEPS`] buckets are 1 ns wide.
const BUCKETS: usize = STEPS * (MAX_BITS - STEP_BITS + 1) as usize;

/// A count of durations by their length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The buckets of [`BOUNDS`](Self::BOUNDS), exactly: its bounds lie inside of log-linear buckets.
    counts: [u64; Self::BOUNDS.len()],
    /// The log-linear buckets: 11 KB once something is counted, and nothing before that.
    buckets: Vec<u64>,
    /// The number of durations, those above the last bound included.
    count: u64,
    sum: Duration,
    max: Duration,
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
        self.buckets.resize(BUCKETS, 0);
        self.buckets[bucket_of(duration)] += 1;
        self.count += 1;
        self.sum += duration;
        self.max = self.max.max(duration);
    }

    /// Adds the durations of another histogram.
    pub fn add(&mut self, other: &Self) {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(count, more)| *count += more);
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
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

    /// The duration that this percentage of all durations does not exceed, to 1.6 %. `None` without any duration.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = u128::from(self.count) * u128::from(percent);
        let mut passed = 0;
        let reaches = |count: &u64| {
            passed += u128::from(*count);
            passed * 100 >= rank
        };
        let bucket = self.buckets.iter().position(reaches).filter(|_| self.count > 0)?;
        Some(if bucket + 1 == BUCKETS { self.max } else { middle_of(bucket).min(self.max) })
    }

    /// The longest duration, exactly. `None` without any duration.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.max)
    }
}

fn bucket_of(duration: Duration) -> usize {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min((1 << MAX_BITS) - 1);
    // The number of low bits that the bucket ignores.
    let ignored = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let step = usize::try_from(nanos >> ignored).unwrap_or_default();
    ignored as usize * STEPS + step
}

fn middle_of(bucket: usize) -> Duration {
    let ignored = (bucket / STEPS).saturating_sub(1);
    let step = (bucket - ignored * STEPS) as u64;
    Duration::from_nanos((step << ignored) + (1_u64 << ignored) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        millis.into_iter().for_each(|millis| histogram.observe(Duration::from_millis(millis)));
        histogram
    }

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_that_holds_it() {
        let histogram = of([1, 5, 6, 4_000_000]);
        let filled: Vec<(f64, u64)> = Histogram::BOUNDS
            .into_iter()
            .zip(histogram.counts().iter().copied())
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0.001, 1), (0.005, 1), (0.01, 1)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_millis(4_000_012)));
    }

    #[test]
    fn the_middle_of_a_bucket_is_close_to_every_duration_in_it() {
        let nanos = (0..MAX_BITS).flat_map(|bit| [0, 1, 2, 3].map(|part| (1_u64 << bit) + (part << bit) / 4));
        for nanos in nanos.chain([0, 31, 32, 33, 63, 64, 65, (1 << MAX_BITS) - 1]) {
            let bucket = bucket_of(Duration::from_nanos(nanos));
            let middle = middle_of(bucket);
            assert!(bucket < BUCKETS);
            assert_eq!(bucket_of(middle), bucket);
            assert!(middle.abs_diff(Duration::from_nanos(nanos)).as_nanos() <= u128::from(nanos / 64), "{nanos}");
        }
    }

    /// Ranks are those of the definition: the smallest value that at least this share of all values does not exceed.
    #[test]
    fn percentiles_are_exact_to_the_width_of_a_bucket() {
        let histogram = of(1..=1000);
        for (percent, millis) in [(50, 500), (90, 900), (99, 990), (100, 1000)] {
            let exact = Duration::from_millis(millis);
            let found = histogram.percentile(percent).expect("some");
            assert!(found.abs_diff(exact) <= exact / 64, "{percent}: {found:?}");
        }
        assert_eq!(histogram.max(), Some(Duration::from_secs(1)));
        assert_eq!((Histogram::default().percentile(99), Histogram::default().max()), (None, None));
    }

    #[test]
    fn no_percentile_exceeds_the_longest_duration() {
        let days = Duration::from_secs(5 * 86_400);
        let mut histogram = of([33]);
        assert!(histogram.percentile(50) <= histogram.max());
        histogram.observe(days);
        assert_eq!((histogram.percentile(99), histogram.max()), (Some(days), Some(days)));
    }

    #[test]
    fn the_sum_of_two_histograms_has_the_durations_of_both() {
        let (odd, even) = (of([1, 3, 5]), of([2, 4, 4_000_000]));
        for (mut one, other) in
            [(odd.clone(), even.clone()), (Histogram::default(), of([1])), (of([1]), Histogram::default())]
        {
            let count = one.count() + other.count();
            one.add(&other);
            assert_eq!(one.count(), count);
        }
        let mut both = odd;
        both.add(&even);
        assert_eq!(both, of([1, 2, 3, 4, 5, 4_000_000]));
    }
}
