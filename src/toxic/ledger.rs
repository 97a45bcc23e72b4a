//! What toxics have done: what is told of it, and what it comes to in the end. How that is worded is `event`.

use std::sync::Arc;
use std::time::Duration;

use super::{Moment, until};
use crate::plan::{Direction, Toxic};

/// Something that a toxic did: one fault, with where and how much.
#[derive(Clone, Debug)]
pub struct Act {
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

/// How often a toxic acted on a connection, in one direction.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Whose it is.
    pub toxic: Arc<Toxic>,
    /// So often.
    pub times: u64,
}

/// What a toxic has done in one direction of a connection.
pub(super) struct Ledger {
    toxic: Arc<Toxic>,
    direction: Direction,
    times: u64,
    untold: Vec<Act>,
}

impl Ledger {
    /// Nothing yet.
    pub(super) fn of(toxic: Arc<Toxic>, direction: Direction) -> Self {
        Self { toxic, direction, times: 0, untold: Vec::new() }
    }

    pub(super) fn toxic(&self) -> &Toxic {
        &self.toxic
    }

    /// What is worth telling since the last call.
    pub(super) fn untold(&mut self) -> impl Iterator<Item = Act> {
        self.untold.drain(..)
    }

    /// What it came to, if it did anything.
    pub(super) fn tally(&self) -> Option<Tally> {
        (self.times > 0).then(|| Tally { toxic: Arc::clone(&self.toxic), times: self.times })
    }

    /// Writes down what was done. Told are the 1st, 2nd, 4th, 8th, … time: a fault that repeats must not flood the log,
    /// and the same ones are to be told in every run.
    pub(super) fn tell(&mut self, offset: u64, amount: Amount) {
        self.times += 1;
        if self.times.is_power_of_two() {
            self.untold.push(self.act(offset, amount));
        }
    }

    /// The same for what happens once and ends the connection: that is always told.
    pub(super) fn tell_the_end(&mut self, offset: u64, amount: Amount) {
        self.times += 1;
        self.untold.push(self.act(offset, amount));
    }

    /// Writes down that the end of the stream is held until a moment, which it returns. Where bytes were held before it,
    /// that is told already.
    pub(super) fn hold_the_end(&mut self, offset: u64, at: Moment, held_until: Moment) -> Moment {
        if self.times == 0 && held_until > at {
            self.tell(offset, Amount::Delay(until(held_until, at)));
        }
        held_until
    }

    fn act(&self, offset: u64, amount: Amount) -> Act {
        let Self { toxic, direction, times, .. } = self;
        Act { toxic: Arc::clone(toxic), direction: *direction, offset, amount, times: *times }
    }
}
