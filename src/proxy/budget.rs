//! The memory budget for bytes that toxics hold, shared by all connections. Once it is used up, the proxy stops
//! reading, and TCP flow control slows the senders down.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::event::{Event, emit};

/// The most bytes that one direction of one connection may hold. At a delay of 100 ms this allows 320 MB/s.
const MAX_PER_DIRECTION: usize = 32 << 20;

/// Every direction may hold this many bytes even if the budget is used up. Otherwise one direction that holds its bytes
/// forever could stop all others.
const MIN_PER_DIRECTION: usize = 4 * 1024;

/// The memory limit for held bytes, and how much of it is in use.
#[derive(Debug)]
pub struct Budget {
    limit: NonZeroUsize,
    used: AtomicUsize,
    was_exhausted: AtomicBool,
}

/// The share of the budget that one direction uses. Dropping it returns the bytes.
#[derive(Debug)]
pub struct Charge<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(limit: NonZeroUsize) -> Self {
        Self { limit, used: AtomicUsize::new(0), was_exhausted: AtomicBool::new(false) }
    }

    /// Begins a charge of 0 bytes for one direction.
    pub fn charge(&self) -> Charge<'_> {
        Charge { budget: self, bytes: 0 }
    }

    /// The number of bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn is_exhausted(&self) -> bool {
        self.used() >= self.limit.get()
    }

    /// Exhaustion may begin and end with every read, so only the first one is logged.
    fn report_once(&self) {
        if self.is_exhausted() && !self.was_exhausted.swap(true, Ordering::Relaxed) {
            emit(&Event::BuffersFull(self.limit.get()));
        }
    }
}

impl Charge<'_> {
    /// Sets the memory that the direction holds, in bytes.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
            self.budget.report_once();
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// The number of bytes that the direction may hold in addition.
    pub fn room(&self) -> usize {
        let most = if self.budget.is_exhausted() { MIN_PER_DIRECTION } else { MAX_PER_DIRECTION };
        most.saturating_sub(self.bytes)
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_share_the_budget_and_return_it() {
        let budget = Budget::new(NonZeroUsize::new(100_000).expect("not 0"));
        let (mut greedy, mut modest) = (budget.charge(), budget.charge());
        greedy.set(99_999);
        assert_eq!(greedy.room(), MAX_PER_DIRECTION - 99_999);
        modest.set(4095);
        assert_eq!((greedy.room(), modest.room()), (0, 1));
        modest.set(4096);
        assert_eq!(modest.room(), 0);
        drop(greedy);
        assert_eq!(modest.room(), MAX_PER_DIRECTION - 4096);
    }

    #[test]
    fn one_direction_can_not_use_the_whole_budget() {
        let budget = Budget::new(NonZeroUsize::MAX);
        let mut charge = budget.charge();
        charge.set(MAX_PER_DIRECTION);
        assert_eq!(charge.room(), 0);
    }
}
