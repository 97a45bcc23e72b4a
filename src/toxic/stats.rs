//! What toxics have done: what is told of it, and what it comes to in the end. How that is worded is `event`.

use std::sync::Arc;
use std::time::Duration;

use super::{Moment, segment, until};
use crate::toxic::Toxic;
use crate::value::Direction;

/// Something that a toxic did: one fault, with where and how much.
#[derive(Clone, Debug)]
pub struct ToxicEvent {
    /// Whose it is.
    pub toxic: Arc<Toxic>,
    /// Where.
    pub direction: Direction,
    /// The first byte that it acted on, counted from 0 in the stream as it came to the toxic.
    pub offset: u64,
    /// How much.
    pub amount: Amount,
    /// The how manieth of this toxic on this connection and direction.
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
    /// Whose it is.
    pub toxic: Arc<Toxic>,
    /// How often it acted.
    pub times: u64,
    /// How many bytes it acted on in all, or its longest delay.
    pub amount: Amount,
}

/// What a toxic has done in one direction of a connection.
pub(super) struct ToxicStats {
    toxic: Arc<Toxic>,
    direction: Direction,
    times: u64,
    amount: Option<Amount>,
    /// Behind the last segment that was counted.
    counted_to: u64,
    pending_events: Vec<ToxicEvent>,
}

impl ToxicStats {
    /// Nothing yet.
    pub(super) fn of(toxic: Arc<Toxic>, direction: Direction) -> Self {
        Self { toxic, direction, times: 0, amount: None, counted_to: 0, pending_events: Vec::new() }
    }

    pub(super) fn toxic(&self) -> &Toxic {
        &self.toxic
    }

    /// What is worth telling since the last call.
    pub(super) fn pending_events(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.pending_events.drain(..)
    }

    /// What it came to, if it did anything.
    pub(super) fn summary(&self) -> Option<ToxicSummary> {
        self.amount.map(|amount| ToxicSummary { toxic: Arc::clone(&self.toxic), times: self.times, amount })
    }

    /// Writes down that `length` bytes leave so much later: an act for each segment, since how many chunks or steps they
    /// are in differs from run to run.
    pub(super) fn record_delay(&mut self, offset: u64, length: usize, delay: Duration) {
        if !delay.is_zero() {
            self.record_segments(offset, length, |_| Amount::Delay(delay));
        }
    }

    /// The same for bytes that are discarded.
    pub(super) fn record_discard(&mut self, offset: u64, length: usize) {
        self.record_segments(offset, length, Amount::Bytes);
    }

    fn record_segments(&mut self, offset: u64, length: usize, amount: impl Fn(u64) -> Amount) {
        for part in segment::parts(offset..offset + length as u64) {
            let amount = amount(part.end - part.start);
            if part.start >= self.counted_to {
                self.record(part.start, amount);
                self.counted_to = segment::end(part.start);
            } else {
                self.add(amount);
            }
        }
    }

    /// Writes down what was done. Told are the 1st, 2nd, 4th, 8th, … time: a fault that repeats must not flood the log,
    /// and the same ones are to be told in every run.
    pub(super) fn record(&mut self, offset: u64, amount: Amount) {
        self.times += 1;
        self.add(amount);
        if self.times.is_power_of_two() {
            self.pending_events.push(self.act(offset, amount));
        }
    }

    /// The same for what happens once and ends the connection: that is always told.
    pub(super) fn record_end(&mut self, offset: u64, amount: Amount) {
        self.times += 1;
        self.add(amount);
        self.pending_events.push(self.act(offset, amount));
    }

    /// Writes down that the end of the stream is held until a moment, which it returns. Where bytes were held before it,
    /// that is told already.
    pub(super) fn hold_the_end(&mut self, offset: u64, at: Moment, held_until: Moment) -> Moment {
        if self.times == 0 && held_until > at {
            self.record(offset, Amount::Delay(until(held_until, at)));
        }
        held_until
    }

    fn add(&mut self, amount: Amount) {
        self.amount = Some(self.amount.map_or(amount, |sum| sum.and(amount)));
    }

    fn act(&self, offset: u64, amount: Amount) -> ToxicEvent {
        let Self { toxic, direction, times, .. } = self;
        ToxicEvent { toxic: Arc::clone(toxic), direction: *direction, offset, amount, times: *times }
    }
}
