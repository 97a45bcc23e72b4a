//! A live route: the configuration that applies to its connections now, and the state that survives a replacement.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::event;
use crate::plan::Route;
use crate::stop::Latch;
use crate::toxic::Toxics;

/// A route that accepts connections or still has live ones. It outlives its listener when the listener is replaced.
#[derive(Debug)]
pub struct LiveRoute {
    dice: Dice,
    /// The number of connections accepted so far. A route that is removed and added again continues the count, so that
    /// the same seed gives the same draws.
    accepted: Arc<AtomicU64>,
    /// The start of the route's clock, which all of its connections share.
    started: Instant,
    generation: Mutex<Arc<Generation>>,
}

/// The configuration of a route between two changes. Each change creates a new generation.
#[derive(Debug)]
pub struct Generation {
    /// Sequence number, from 1.
    pub number: u64,
    /// The route as configured.
    pub route: Arc<Route>,
    pub toxics: Toxics,
    /// Triggered when a newer generation replaces this one.
    pub replaced: Latch,
}

impl LiveRoute {
    /// # Errors
    /// No descriptors are left.
    pub fn new(route: Route, seed: u64, accepted: Arc<AtomicU64>) -> io::Result<Self> {
        let dice = Dice::new(seed, &route.name);
        let toxics = Toxics::new(&route.toxics, dice.clone(), event::logged_acts());
        let first = Generation { number: 1, route: Arc::new(route), toxics, replaced: Latch::new()? };
        Ok(Self { dice, accepted, started: Instant::now(), generation: Mutex::new(Arc::new(first)) })
    }

    /// Returns the current generation.
    pub fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies `route` to new connections, and its toxics to live ones as well.
    ///
    /// # Errors
    /// No descriptors are left. The route stays unchanged.
    pub fn replace(&self, route: Route) -> io::Result<()> {
        let replaced = Latch::new()?;
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let toxics = generation.toxics.replaced_by(&route.toxics, self.started.elapsed());
        let next = Generation { number: generation.number + 1, route: Arc::new(route), toxics, replaced };
        let old = std::mem::replace(&mut *generation, Arc::new(next));
        drop(generation);
        old.replaced.trigger();
        Ok(())
    }

    /// Converts `at` to the route's clock.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }

    /// Counts one more connection and returns its number, from 1.
    pub fn count_connection(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn dice(&self) -> &Dice {
        &self.dice
    }
}
