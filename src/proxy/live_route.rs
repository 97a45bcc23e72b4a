//! A live route: the configuration that applies to its connections now, and the state that survives a replacement.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::counters::RouteCounters;
use crate::dice::Dice;
use crate::event;
use crate::plan::Route;
use crate::stop::Latch;
use crate::toxic::Toxics;
use crate::value::RouteName;

/// A route that accepts connections or still has live ones. It outlives its listener when the listener is replaced.
#[derive(Debug)]
pub struct LiveRoute {
    name: RouteName,
    dice: Dice,
    counters: Arc<RouteCounters>,
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
    pub fn new(route: Route, seed: u64, counters: Arc<RouteCounters>) -> io::Result<Self> {
        let (name, dice) = (route.name.clone(), Dice::new(seed, &route.name));
        let toxics = Toxics::new(&route.toxics, dice.clone(), event::logged_acts());
        let first = Generation { number: 1, route: Arc::new(route), toxics, replaced: Latch::new()? };
        Ok(Self { name, dice, counters, started: Instant::now(), generation: Mutex::new(Arc::new(first)) })
    }

    pub fn name(&self) -> &RouteName {
        &self.name
    }

    /// Returns the current generation.
    pub fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies `route` to new connections, and its toxics to live ones as well. `replaced` is for the new generation.
    pub fn replace(&self, route: Route, replaced: Latch) {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let toxics = generation.toxics.replaced_by(&route.toxics, self.started.elapsed());
        let next = Generation { number: generation.number + 1, route: Arc::new(route), toxics, replaced };
        let old = std::mem::replace(&mut *generation, Arc::new(next));
        drop(generation);
        old.replaced.trigger();
    }

    /// Converts `at` to the route's clock.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }

    pub fn counters(&self) -> &RouteCounters {
        &self.counters
    }

    pub fn dice(&self) -> &Dice {
        &self.dice
    }
}
