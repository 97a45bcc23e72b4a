//! Token buckets: when bytes pass a link with a fixed rate. Which connections share a bucket is `route_toxic`.

use std::sync::Mutex;
use std::time::Duration;

use super::{Moment, NEVER};

/// The queues of a bandwidth toxic. `exit` decides when bytes pass the link. `entrance` decides how fast to read, and
/// also counts bytes that are still on their way to the link: otherwise a delay before a slow link would fill up before
/// the sender is slowed down.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) entrance: Mutex<Bucket>,
    pub(super) exit: Mutex<Bucket>,
}

/// The queue before a link with a fixed rate, as two numbers: since when the queue has not been empty, and the number
/// of bytes that arrived since then.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    since: Moment,
    bytes: u64,
}

impl Bucket {
    /// Adds `bytes` at time `at`. Returns when the last of them passes at `rate` bytes a second, if `burst` bytes may
    /// pass ahead of the rate.
    pub(super) fn put(&mut self, bytes: u64, at: Moment, rate: u64, burst: u32) -> Moment {
        if at > self.since.saturating_add(time_of(self.bytes, rate)) {
            *self = Self { since: at, bytes: 0 };
        }
        self.bytes += bytes;
        let ahead = self.bytes.saturating_sub(burst.into());
        self.since.saturating_add(time_of(ahead, rate)).max(at)
    }
}

/// The time that `bytes` take at `rate` bytes a second.
fn time_of(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
    // 2^64 ns are 584 years.
    u64::try_from(nanos).map_or(NEVER, Duration::from_nanos)
}
