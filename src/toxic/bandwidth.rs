//! `bandwidth`: a token bucket that paces instead of letting through in bursts. When a byte leaves follows from how many
//! went before it, exactly: nothing adds up over time but the bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::chain::{Amount, Ledger, Out, TAKEN_AT_ONCE};
use super::{Moment, NEVER, Span, Stage};
use crate::plan::{Bandwidth, Window};

/// The bytes of so long leave together: a smooth stream, and not too many writes.
const STEP: Duration = Duration::from_millis(5);

/// What is taken from the sender at a time lasts for so many steps.
const STEPS_TAKEN: u64 = 5;

pub(super) struct Narrow {
    bandwidth: Bandwidth,
    window: Window,
    bucket: Arc<Mutex<Bucket>>,
}

/// The queue in front of a link of a fixed rate, by two numbers: since when it has never been empty, and what has gone in
/// since then.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    since: Moment,
    bytes: u64,
}

impl Bucket {
    /// Puts `bytes` in at a moment; returns when the last of them leaves at `rate` bytes a second, if `burst` bytes may
    /// leave ahead of that.
    fn put(&mut self, bytes: usize, at: Moment, rate: u64, burst: u32) -> Moment {
        if at > self.since.saturating_add(lasting(self.bytes, rate)) {
            *self = Self { since: at, bytes: 0 };
        }
        self.bytes += bytes as u64;
        let ahead = self.bytes.saturating_sub(burst.into());
        self.since.saturating_add(lasting(ahead, rate)).max(at)
    }
}

/// How long `bytes` take at `rate` bytes a second.
fn lasting(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
    // 2^64 ns are 584 years.
    u64::try_from(nanos).map_or(NEVER, Duration::from_nanos)
}

impl Narrow {
    pub(super) fn new(bandwidth: Bandwidth, window: Window, bucket: Arc<Mutex<Bucket>>) -> Self {
        Self { bandwidth, window, bucket }
    }

    /// What leaves together.
    fn step(&self) -> usize {
        let bytes = u128::from(self.bandwidth.rate.bytes_per_second()) * STEP.as_nanos() / 1_000_000_000;
        usize::try_from(bytes).unwrap_or(TAKEN_AT_ONCE).clamp(1, TAKEN_AT_ONCE)
    }

    fn leaves(&self, bytes: usize, at: Moment) -> Moment {
        let due = match self.bandwidth.rate.bytes_per_second() {
            0 => NEVER,
            rate => {
                // Nobody panics while it holds this.
                let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
                bucket.put(bytes, at, rate, self.bandwidth.burst)
            }
        };
        due.min(self.window.ends())
    }
}

impl Stage for Narrow {
    fn pass(&mut self, mut span: Span, mut offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let mut part = span.take(self.step());
            let due = self.leaves(part.length(), part.at);
            if due > part.at {
                out.tell(offset, Amount::Delay(due.saturating_sub(part.at)));
            }
            offset += part.length() as u64;
            part.at = due;
            out.pass(part);
        }
    }

    /// Through a link that nothing passes, no end passes either.
    fn finish(&mut self, at: Moment, _: u64, _: &mut Ledger) -> Moment {
        if self.bandwidth.rate.bytes_per_second() == 0 { self.window.ends() } else { at }
    }

    fn pace(&self) -> Option<usize> {
        let taken = self.step() as u64 * STEPS_TAKEN;
        Some(usize::try_from(taken).unwrap_or(TAKEN_AT_ONCE).min(TAKEN_AT_ONCE))
    }
}
