//! What toxics have done: the events that are logged, and the sums of a connection. How a log line is worded is `event`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::span::{End, Span};
use super::{Moment, until};
use crate::toxic::Toxic;
use crate::value::Direction;

/// Something that a toxic did: one fault, with where and how much.
#[derive(Clone, Debug)]
pub struct ToxicEvent {
    /// Whose it is.
    pub toxic: Arc<Toxic>,
    /// Where.
    pub direction: Direction,
    /// The first byte that it acted on, counted from 0 in the stream as its sender sent it.
    pub offset: u64,
    /// How much.
    pub amount: Amount,
    /// The sequence number of this event of the toxic on this connection and direction, from 1.
    pub times: u64,
}

/// How much of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So much later; `NEVER` is for ever.
    Delay(Duration),
    /// So many bytes.
    Bytes(u64),
}

impl Amount {
    /// What two come to: so many bytes in all, or the longer delay.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bytes(some), Self::Bytes(more)) => Self::Bytes(some.saturating_add(more)),
            (Self::Delay(one), Self::Delay(other)) => Self::Delay(one.max(other)),
            // Bytes were discarded, and the end behind them is held.
            (Self::Bytes(bytes), Self::Delay(_)) | (Self::Delay(_), Self::Bytes(bytes)) => Self::Bytes(bytes),
        }
    }
}

/// What a toxic came to on a connection, in one direction.
#[derive(Clone, Debug)]
pub struct ToxicSummary {
    /// Which toxic.
    pub toxic: Arc<Toxic>,
    /// How often it acted.
    pub times: u64,
    /// The number of bytes that it acted on, or its longest delay.
    pub amount: Amount,
}

/// What a toxic has done so far in one direction of a connection. Any thread can read it at any time.
#[derive(Debug)]
pub struct RunningSum {
    toxic: Arc<Toxic>,
    sum: Mutex<(u64, Option<Amount>)>,
}

impl RunningSum {
    /// Which toxic.
    #[must_use]
    pub fn toxic(&self) -> &Toxic {
        &self.toxic
    }

    /// What it came to, if it did anything.
    #[must_use]
    pub fn summary(&self) -> Option<ToxicSummary> {
        let (times, amount) = *self.lock();
        amount.map(|amount| ToxicSummary { toxic: Arc::clone(&self.toxic), times, amount })
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<Amount>)> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a toxic does in one direction of a connection, and how it is recorded.
pub(super) struct ToxicStats {
    direction: Direction,
    sum: Arc<RunningSum>,
    /// The last segment that was counted.
    counted: Option<u64>,
    pending_events: Vec<ToxicEvent>,
}

impl ToxicStats {
    /// Nothing yet.
    pub(super) fn of(toxic: Arc<Toxic>, direction: Direction) -> Self {
        let sum = Arc::new(RunningSum { toxic, sum: Mutex::default() });
        Self { direction, sum, counted: None, pending_events: Vec::new() }
    }

    pub(super) fn sum(&self) -> &Arc<RunningSum> {
        &self.sum
    }

    /// What is worth logging since the last call.
    pub(super) fn pending_events(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.pending_events.drain(..)
    }

    /// Records that `span` leaves that much later: once for each segment, since the number of chunks or steps that it is
    /// in differs from run to run.
    pub(super) fn record_delay(&mut self, span: &Span, delay: Duration) {
        if !delay.is_zero() {
            self.record_segments(span, |_| Amount::Delay(delay));
        }
    }

    /// The same for bytes that are discarded.
    pub(super) fn record_discard(&mut self, span: &Span) {
        self.record_segments(span, Amount::Bytes);
    }

    /// Records that a segment, whose byte `offset` is at hand, leaves that much later.
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

    /// Records what was done. Logged are the 1st, 2nd, 4th, 8th, … time: a fault that repeats must not flood the log, and
    /// the same ones are to be logged in every run.
    pub(super) fn record(&mut self, offset: u64, amount: Amount) {
        let times = self.count(1, amount);
        if times.is_power_of_two() {
            self.log(offset, amount, times);
        }
    }

    /// The same for what happens once and ends the connection: that is always logged.
    pub(super) fn record_end(&mut self, offset: u64, amount: Amount) {
        let times = self.count(1, amount);
        self.log(offset, amount, times);
    }

    /// Records that the end of the stream is held until a moment, which it returns. Where bytes are held before it, that
    /// is recorded already.
    pub(super) fn hold_the_end(&mut self, end: End, held_until: Moment) -> Moment {
        let has_acted = self.sum.lock().0 > 0;
        if !has_acted && held_until > end.at {
            self.record(end.offset, Amount::Delay(until(held_until, end.at)));
        }
        held_until
    }

    /// Adds to the sums; returns how often it has acted.
    fn count(&self, more: u64, amount: Amount) -> u64 {
        let (times, total) = &mut *self.sum.lock();
        *total = Some(total.map_or(amount, |total| total.and(amount)));
        *times += more;
        *times
    }

    fn log(&mut self, offset: u64, amount: Amount, times: u64) {
        let (toxic, direction) = (Arc::clone(&self.sum.toxic), self.direction);
        self.pending_events.push(ToxicEvent { toxic, direction, offset, amount, times });
    }
}
