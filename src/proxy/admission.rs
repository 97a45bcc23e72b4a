//! The limit on concurrent connections. Connections beyond it wait in the kernel's backlog, which costs the process
//! nothing. The list of live connections is `registry`.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, select};

/// A semaphore. A connection acquires a permit before it gets its threads.
#[derive(Debug)]
pub struct ConnectionLimit {
    capacity: NonZeroUsize,
    free: Receiver<()>,
    release: Sender<()>,
    had_shortage: AtomicBool,
}

/// The right to serve one connection. Dropping it returns it to its [`ConnectionLimit`].
#[derive(Debug)]
pub struct Permit {
    release: Sender<()>,
}

impl ConnectionLimit {
    pub fn new(capacity: NonZeroUsize) -> Self {
        let (release, free) = crossbeam_channel::bounded(capacity.get());
        // `self` owns both ends, and the capacity equals the number of permits: the channel is never full and never
        // disconnected.
        for _ in 0..capacity.get() {
            let _ = release.try_send(());
        }
        Self { capacity, free, release, had_shortage: AtomicBool::new(false) }
    }

    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Whether this is the first shortage of permits. At the limit every connection causes one, and each would be
    /// logged.
    pub fn first_shortage(&self) -> bool {
        !self.had_shortage.swap(true, Ordering::Relaxed)
    }

    /// Returns a permit if one is free now.
    pub fn try_acquire(&self) -> Option<Permit> {
        self.free.try_recv().ok().map(|()| self.permit())
    }

    /// Waits for a permit, unless `no_more` disconnects first.
    pub fn acquire(&self, no_more: &Receiver<Infallible>) -> Option<Permit> {
        select! {
            recv(self.free) -> _ => Some(self.permit()),
            recv(no_more) -> _ => None,
        }
    }

    fn permit(&self) -> Permit {
        Permit { release: self.release.clone() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // The channel is not full, since it has room for every permit. If the limit is gone, no connection waits for
        // the permit.
        let _ = self.release.try_send(());
    }
}
