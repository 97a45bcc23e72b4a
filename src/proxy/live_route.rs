//! A route while it is live: what holds for its connections now, and what lasts when that is exchanged.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::plan::Route;
use crate::stop::Latch;
use crate::toxic::Toxics;

/// A route that accepts connections, or has accepted some that still live. It outlives its listener where it gets another
/// one.
#[derive(Debug)]
pub struct LiveRoute {
    dice: Dice,
    /// The connections accepted so far. A route that comes again goes on counting, so that a seed means the same.
    accepted: Arc<AtomicU64>,
    /// The clock that all of its connections have in common.
    since: Instant,
    generation: Mutex<Arc<Generation>>,
}

/// What a route is at one time. Another plan makes another generation of it.
#[derive(Debug)]
pub struct Generation {
    /// Sequence number, from 1.
    pub number: u64,
    /// What was asked for.
    pub route: Arc<Route>,
    pub toxics: Toxics,
    /// Triggered when there is a newer one.
    pub replaced: Latch,
}

impl LiveRoute {
    /// # Errors
    /// No descriptors are left.
    pub fn new(route: Route, seed: u64, accepted: Arc<AtomicU64>) -> io::Result<Self> {
        let dice = Dice::new(seed, &route.name);
        let toxics = Toxics::new(&route.toxics, dice.clone());
        let first = Generation { number: 1, route: Arc::new(route), toxics, replaced: Latch::new()? };
        Ok(Self { dice, accepted, since: Instant::now(), generation: Mutex::new(Arc::new(first)) })
    }

    /// What holds now.
    pub fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has new connections meet `route` from now on, and live ones its toxics.
    ///
    /// # Errors
    /// No descriptors are left; everything stays as it is.
    pub fn replace(&self, route: Route) -> io::Result<()> {
        let replaced = Latch::new()?;
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let toxics = generation.toxics.replaced_by(&route.toxics, self.since.elapsed());
        let next = Generation { number: generation.number + 1, route: Arc::new(route), toxics, replaced };
        let old = std::mem::replace(&mut *generation, Arc::new(next));
        drop(generation);
        old.replaced.trigger();
        Ok(())
    }

    /// A moment by the route's clock.
    pub fn moment(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.since)
    }

    /// The number of one more connection, from 1.
    pub fn count_connection(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn dice(&self) -> &Dice {
        &self.dice
    }
}
