//! How many connections may be served at once: past the machine's limits a connection waits in the kernel's backlog, where
//! it costs nothing. Which ones there are is `registry`.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, select};

/// A semaphore over all routes: a connection is given its threads only with a permit.
#[derive(Debug)]
pub struct ConnectionLimit {
    capacity: NonZeroUsize,
    free: Receiver<()>,
    give_back: Sender<()>,
    were_short: AtomicBool,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    give_back: Sender<()>,
}

impl ConnectionLimit {
    pub fn new(capacity: NonZeroUsize) -> Self {
        let (give_back, free) = crossbeam_channel::bounded(capacity.get());
        // Both ends are here and the channel holds as many as there are permits: it is never full and never disconnected.
        for _ in 0..capacity.get() {
            let _ = give_back.try_send(());
        }
        Self { capacity, free, give_back, were_short: AtomicBool::new(false) }
    }

    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Whether this is the first time that permits are short. At the limit that changes with each connection, and would be
    /// a log line for each.
    pub fn first_shortage(&self) -> bool {
        !self.were_short.swap(true, Ordering::Relaxed)
    }

    /// A permit, if one is free at this moment.
    pub fn try_take(&self) -> Option<Permit> {
        self.free.try_recv().ok().map(|()| self.permit())
    }

    /// Waits for a permit, unless `no_more` disconnects first.
    pub fn take(&self, no_more: &Receiver<Infallible>) -> Option<Permit> {
        select! {
            recv(self.free) -> _ => Some(self.permit()),
            recv(no_more) -> _ => None,
        }
    }

    fn permit(&self) -> Permit {
        Permit { give_back: self.give_back.clone() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // As in `ConnectionLimit::new`.
        let _ = self.give_back.try_send(());
    }
}
