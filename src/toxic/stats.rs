//! What toxics have done: events for the log, and sums per connection. The text of a log line is `event`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::span::{End, Span};
use super::{Moment, until};
use crate::toxic::Toxic;
use crate::value::Direction;

/// A single act of a toxic.
#[derive(Clone, Debug)]
pub struct ToxicEvent {
    /// The toxic that acted.
    pub toxic: Arc<Toxic>,
    /// The direction of the stream.
    pub direction: Direction,
    /// The offset of the first affected byte, from 0 in the stream as sent.
    pub offset: u64,
    /// The extent of the fault.
    pub amount: Amount,
    /// Sequence number of this act of the toxic in this direction of the connection, from 1.
    pub times: u64,
    /// Whether it is one of many alike: neither the 1st, 2nd, 4th, 8th, … time, nor the end of the connection.
    pub is_repeat: bool,
}

/// Which acts of a toxic become events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Those that are no repeats: a fault that repeats must not flood the log, and the same ones are to be logged in
    /// every run.
    #[default]
    First,
    /// All of them.
    Every,
}

/// The extent of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A delay; `NEVER` if it is endless.
    Delay(Duration),
    /// A number of bytes.
    Bytes(u64),
}

impl Amount {
    /// Combines two amounts: the sum of bytes, or the longer delay.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bytes(some), Self::Bytes(more)) => Self::Bytes(some.saturating_add(more)),
            (Self::Delay(one), Self::Delay(other)) => Self::Delay(one.max(other)),
            // The toxic discards bytes and holds the end of the stream after them.
            (Self::Bytes(bytes), Self::Delay(_)) | (Self::Delay(_), Self::Bytes(bytes)) => Self::Bytes(bytes),
        }
    }
}

/// How long toxics together have delayed the first byte of a write, counted from its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedDelay {
    /// Until it was due, which the toxics have decided.
    pub asked: Duration,
    /// Until it was written. A thread that wakes up late and a receiver that reads slowly add to it.
    pub measured: Duration,
}

/// The sums of a toxic in one direction of a connection.
#[derive(Clone, Debug)]
pub struct ToxicSummary {
    /// Which toxic.
    pub toxic: Arc<Toxic>,
    /// The number of times that it acted.
    pub times: u64,
    /// The number of affected bytes, or the longest delay.
    pub amount: Amount,
}

/// What a toxic has done so far in one direction of a connection. Can be read from any thread.
#[derive(Debug)]
pub struct RunningSum {
    toxic: Arc<Toxic>,
    sum: Mutex<(u64, Option<Amount>)>,
    /// Cleared when the toxic leaves the chain.
    is_in_chain: AtomicBool,
}

impl ToxicSummary {
    /// Whether both are of toxics with the same name and type.
    #[must_use]
    pub fn is_of_same(&self, other: &Self) -> bool {
        let key = |summary: &Self| (summary.toxic.name.clone(), summary.toxic.effect.as_str());
        key(self) == key(other)
    }

    /// Adds what another toxic of that name and type has done.
    pub fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.amount = self.amount.and(other.amount);
    }
}

impl RunningSum {
    /// Which toxic.
    #[must_use]
    pub fn toxic(&self) -> &Toxic {
        &self.toxic
    }

    /// Whether the toxic still acts on the connection.
    #[must_use]
    pub fn is_in_chain(&self) -> bool {
        self.is_in_chain.load(Ordering::Relaxed)
    }

    /// The sums so far. `None` if the toxic has not acted.
    #[must_use]
    pub fn summary(&self) -> Option<ToxicSummary> {
        let (times, amount) = *self.lock();
        amount.map(|amount| ToxicSummary { toxic: Arc::clone(&self.toxic), times, amount })
    }

    /// The number of times that the toxic has acted.
    #[must_use]
    pub fn times(&self) -> u64 {
        self.lock().0
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<Amount>)> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records what a toxic does in one direction of a connection.
pub(super) struct ToxicStats {
    direction: Direction,
    recorded: Recorded,
    sum: Arc<RunningSum>,
    /// The number of acts of earlier versions of the toxic, which have sums of their own.
    before: u64,
    counting: Counting,
    /// The segment that was counted last.
    counted: Option<u64>,
    pending_events: Vec<ToxicEvent>,
}

/// What is counted of an act.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// It and its extent.
    Acts,
    /// Its extent: it is an earlier one that has changed.
    Extents,
}

impl ToxicStats {
    /// Creates empty statistics.
    pub(super) fn of(toxic: Arc<Toxic>, direction: Direction, recorded: Recorded) -> Self {
        let sum = Arc::new(RunningSum { toxic, sum: Mutex::default(), is_in_chain: AtomicBool::new(true) });
        let (counting, pending_events) = (Counting::Acts, Vec::new());
        Self { direction, recorded, sum, before: 0, counting, counted: None, pending_events }
    }

    /// Numbers acts on from those of an earlier version of the toxic: a toxic that changes often must not flood the
    /// log.
    pub(super) fn continue_from(&mut self, earlier: &mut Self) {
        self.before = earlier.before + earlier.sum.lock().0;
        self.counted = earlier.counted;
        self.pending_events.append(&mut earlier.pending_events);
    }

    /// The acts from now on are those on held bytes, which were counted before.
    pub(super) fn count_extents_only(&mut self) {
        self.counting = Counting::Extents;
    }

    /// The acts from now on are new ones.
    pub(super) fn count_acts(&mut self) {
        self.counting = Counting::Acts;
    }

    pub(super) fn sum(&self) -> &Arc<RunningSum> {
        &self.sum
    }

    /// Takes the events to log since the last call.
    pub(super) fn pending_events(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.pending_events.drain(..)
    }

    /// Records the delay of `span`, once for each segment: the number of chunks or steps in a segment differs from run
    /// to run.
    pub(super) fn record_delay(&mut self, span: &Span, delay: Duration) {
        if !delay.is_zero() {
            self.record_segments(span, |_| Amount::Delay(delay));
        }
    }

    /// Records that `span` was discarded, once for each segment.
    pub(super) fn record_discard(&mut self, span: &Span) {
        self.record_segments(span, Amount::Bytes);
    }

    /// Records the delay of a segment when its byte `offset` is processed.
    pub(super) fn record_segment_delay(&mut self, segment: u64, offset: u64, delay: Duration) {
        if !delay.is_zero() {
            self.record_in_segment(segment, offset, Amount::Delay(delay));
        }
    }

    fn record_segments(&mut self, span: &Span, amount: impl Fn(u64) -> Amount) {
        let mut rest = span.clone();
        while !rest.range.is_empty() {
            let (segment, part) = rest.take_segment();
            self.record_in_segment(segment, part.range.start, amount(part.length()));
        }
    }

    fn record_in_segment(&mut self, segment: u64, offset: u64, amount: Amount) {
        if self.counted.replace(segment) == Some(segment) {
            self.count(0, amount);
        } else {
            self.record(offset, amount);
        }
    }

    /// Records an act.
    pub(super) fn record(&mut self, offset: u64, amount: Amount) {
        if self.counting == Counting::Extents {
            self.count(0, amount);
            return;
        }
        let times = self.count(1, amount);
        let is_repeat = !times.is_power_of_two();
        if !is_repeat || self.recorded == Recorded::Every {
            let event = self.event(offset, amount, times);
            self.pending_events.push(ToxicEvent { is_repeat, ..event });
        }
    }

    /// Records an act that ends the connection, which is no repeat.
    pub(super) fn record_end(&mut self, offset: u64, amount: Amount) {
        let times = self.count(1, amount);
        self.pending_events.push(self.event(offset, amount, times));
    }

    /// Records that the end of the stream is held, and returns `held_until`. If bytes before it are held, that is
    /// recorded already.
    pub(super) fn record_held_end(&mut self, end: End, held_until: Moment) -> Moment {
        let has_acted = self.before + self.sum.lock().0 > 0;
        if !has_acted && held_until > end.at {
            self.record(end.offset, Amount::Delay(until(held_until, end.at)));
        }
        held_until
    }

    /// Adds to the sums. Returns the number of acts so far.
    fn count(&self, more: u64, amount: Amount) -> u64 {
        let (times, total) = &mut *self.sum.lock();
        *total = Some(total.map_or(amount, |total| total.and(amount)));
        *times += more;
        self.before + *times
    }

    fn event(&self, offset: u64, amount: Amount, times: u64) -> ToxicEvent {
        let (toxic, direction) = (Arc::clone(&self.sum.toxic), self.direction);
        ToxicEvent { toxic, direction, offset, amount, times, is_repeat: false }
    }
}

impl Drop for ToxicStats {
    fn drop(&mut self) {
        self.sum.is_in_chain.store(false, Ordering::Relaxed);
    }
}
