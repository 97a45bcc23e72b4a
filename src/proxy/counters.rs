//! The counters of a route: what has happened to its connections since the start of the run. They survive the route's
//! removal, so that a route that is added again continues its counts. What live connections have done so far is in
//! `state`; `registry` adds the two up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::histogram::Histogram;
use crate::event::CloseReason;
use crate::toxic::{AddedDelay, Amount};
use crate::value::ToxicName;

/// The counters of one route.
#[derive(Debug, Default)]
pub struct RouteCounters {
    accepted: AtomicU64,
    dropped: AtomicU64,
    delayed: AtomicU64,
    failed_dials: AtomicU64,
    dials: Mutex<Histogram>,
    delays: Mutex<Delays>,
    closed: Mutex<Closed>,
}

/// What a set of connections has done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// From the clients to the upstream.
    pub up: Bytes,
    /// From the upstream to the clients.
    pub down: Bytes,
    /// What each toxic has done.
    pub faults: BTreeMap<ToxicKey, Faults>,
    /// The times from the accept to the first byte sent to the client.
    pub first_bytes: Histogram,
}

/// A toxic by its name and type.
pub type ToxicKey = (ToxicName, &'static str);

/// What a toxic has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The number of connections that it acted on.
    pub connections: u64,
    /// The number of its acts.
    pub times: u64,
    /// The number of affected bytes, or the longest delay.
    pub amount: Option<Amount>,
}

/// What toxics have added to the delay of bytes: one value for each write, in both directions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delays {
    /// Until the bytes were due.
    pub asked: Histogram,
    /// Until they were written.
    pub measured: Histogram,
}

/// What all connections together have done since the start. Reading it takes some microseconds for each hundred live
/// connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The number of live connections.
    pub open: usize,
    /// The number of bytes sent to upstreams.
    pub bytes_up: u64,
    /// The number of bytes sent to clients.
    pub bytes_down: u64,
    /// The number of connections dropped or delayed, and of acts of toxics.
    pub faults: u64,
    /// The number of writes that toxics have delayed.
    pub delays: u64,
    /// The sum of the delays until their bytes were due.
    pub delay_asked: Duration,
    /// The sum of the delays until they were written.
    pub delay_measured: Duration,
}

/// The bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// The number of bytes read from the sender.
    pub received: u64,
    /// The number of bytes written to the receiver's socket.
    pub sent: u64,
}

/// What closed connections have done, why they closed, and how long they lasted.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    pub totals: Totals,
    pub reasons: BTreeMap<CloseReason, u64>,
    pub durations: Histogram,
}

impl RouteCounters {
    /// Counts one more connection and returns its number, from 1.
    pub fn count_connection(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a connection that the drop rate selected.
    pub fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that the latency of its route delays.
    pub fn count_delayed(&self) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a dial that the upstream accepted after `took`.
    pub fn count_dial(&self, took: Duration) {
        lock(&self.dials).observe(took);
    }

    /// Counts the delay of a write.
    pub fn count_delay(&self, delay: AddedDelay) {
        let mut delays = lock(&self.delays);
        delays.asked.observe(delay.asked);
        delays.measured.observe(delay.measured);
    }

    pub fn count_failed_dial(&self) {
        self.failed_dials.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a connection that has ended, and has done this.
    pub fn add_closed(&self, reason: CloseReason, lasted: Duration, totals: Totals) {
        let mut closed = lock(&self.closed);
        closed.totals.add(totals);
        *closed.reasons.entry(reason).or_default() += 1;
        closed.durations.observe(lasted);
    }

    /// Adds what closed connections have done, and the drops and delays of all.
    pub fn add_activity(&self, activity: &mut Activity) {
        let totals = &lock(&self.closed).totals;
        activity.bytes_up += totals.up.sent;
        activity.bytes_down += totals.down.sent;
        activity.faults += totals.toxic_acts();
        activity.faults += self.dropped() + self.delayed();
        let delays = lock(&self.delays);
        activity.delays += delays.asked.count();
        activity.delay_asked += delays.asked.sum();
        activity.delay_measured += delays.measured.sum();
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub fn delayed(&self) -> u64 {
        self.delayed.load(Ordering::Relaxed)
    }

    pub fn failed_dials(&self) -> u64 {
        self.failed_dials.load(Ordering::Relaxed)
    }

    /// The durations of successful dials.
    pub fn dials(&self) -> Histogram {
        lock(&self.dials).clone()
    }

    pub fn delays(&self) -> Delays {
        lock(&self.delays).clone()
    }

    pub fn closed(&self) -> Closed {
        lock(&self.closed).clone()
    }
}

impl Totals {
    /// Adds what other connections have done.
    pub fn add(&mut self, other: Self) {
        self.up.add(other.up);
        self.down.add(other.down);
        self.first_bytes.add(&other.first_bytes);
        for (toxic, faults) in other.faults {
            self.faults.entry(toxic).or_default().add(faults);
        }
    }

    /// The number of acts of all toxics.
    #[must_use]
    pub fn toxic_acts(&self) -> u64 {
        self.faults.values().map(|faults| faults.times).sum()
    }
}

impl Faults {
    /// Adds what the toxic has done elsewhere.
    pub fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.times += other.times;
        self.amount = match (self.amount, other.amount) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Bytes {
    fn add(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
