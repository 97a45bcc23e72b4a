//! The memory that toxics may hold in all connections together. Past it no more is read, and the senders feel it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::event::{Event, emit};

/// What one direction of one connection may hold: at a delay of 100 ms it passes 320 MB/s.
const PER_DIRECTION: usize = 32 << 20;

/// What every direction may hold, however little there is: else one that holds much for ever would stop all others.
const AT_LEAST: usize = 4 * 1024;

/// The memory for held bytes.
#[derive(Debug)]
pub struct Budget {
    limit: NonZeroUsize,
    used: AtomicUsize,
    was_exhausted: AtomicBool,
}

/// What one direction holds, given back when it is dropped.
#[derive(Debug)]
pub struct Charge<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(limit: NonZeroUsize) -> Self {
        Self { limit, used: AtomicUsize::new(0), was_exhausted: AtomicBool::new(false) }
    }

    /// For a direction that holds nothing yet.
    pub fn charge(&self) -> Charge<'_> {
        Charge { budget: self, bytes: 0 }
    }

    fn is_exhausted(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit.get()
    }

    /// It comes and goes with each read: that is worth one line of the log, not thousands.
    fn report_once(&self) {
        if self.is_exhausted() && !self.was_exhausted.swap(true, Ordering::Relaxed) {
            emit(&Event::BuffersFull(self.limit.get()));
        }
    }
}

impl Charge<'_> {
    /// It holds that many bytes of memory now.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
            self.budget.report_once();
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Whether it may hold more.
    pub fn allows_more(&self) -> bool {
        self.bytes < AT_LEAST || (self.bytes < PER_DIRECTION && !self.budget.is_exhausted())
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
    fn the_budget_is_shared_and_given_back() {
        let budget = Budget::new(NonZeroUsize::new(100_000).expect("not 0"));
        let (mut greedy, mut modest) = (budget.charge(), budget.charge());
        greedy.set(99_999);
        assert!(greedy.allows_more());
        modest.set(4095);
        assert!(!greedy.allows_more() && modest.allows_more());
        modest.set(4096);
        assert!(!modest.allows_more());
        drop(greedy);
        assert!(modest.allows_more());
    }

    #[test]
    fn one_direction_can_not_take_all() {
        let budget = Budget::new(NonZeroUsize::MAX);
        let mut charge = budget.charge();
        charge.set(PER_DIRECTION);
        assert!(!charge.allows_more());
    }
}
