//! Token buckets: when bytes leave that come to a link of a fixed rate. Which connections share one is `route_toxic`.

use std::sync::Mutex;
use std::time::Duration;

use super::{Moment, NEVER};

/// A queue is at its toxic's place in the chain. What is on its way there counts already for how much is taken from the
/// sender: else a delay before a slow link would fill up before the sender felt it.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) entrance: Mutex<Bucket>,
    pub(super) exit: Mutex<Bucket>,
}

/// The queue before a link of a fixed rate, as two numbers: the time since which it has not been empty, and the bytes
/// since then.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    since: Moment,
    bytes: u64,
}

impl Bucket {
    /// Adds `bytes` at a moment; returns when the last of them leaves at `rate` bytes a second, where `burst` bytes may
    /// leave before that.
    pub(super) fn put(&mut self, bytes: u64, at: Moment, rate: u64, burst: u32) -> Moment {
        if at > self.since.saturating_add(lasting(self.bytes, rate)) {
            *self = Self { since: at, bytes: 0 };
        }
        self.bytes += bytes;
        let ahead = self.bytes.saturating_sub(burst.into());
        self.since.saturating_add(lasting(ahead, rate)).max(at)
    }
}

/// The duration of `bytes` at `rate` bytes a second.
fn lasting(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
    // 2^64 ns are 584 years.
    u64::try_from(nanos).map_or(NEVER, Duration::from_nanos)
}
