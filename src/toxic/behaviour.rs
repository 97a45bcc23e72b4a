//! What a toxic does, apart from what it declares: which of its attributes fit each other, when it ends the connection,
//! and the stage that acts on a stream.

use std::sync::Arc;

use super::bucket::Buckets;
use super::{ActiveTime, Moment, Stage};
use crate::dice::ToxicRng;
use crate::value::{Direction, Millis, Rejected, Stream};

/// What every type of toxic implements.
pub(super) trait Behaviour {
    /// Every attribute whose value is valid alone, but not beside the others.
    fn misfits(&self) -> Vec<Misfit> {
        Vec::new()
    }

    /// The attribute that says when the toxic ends the connection, and its value: a time from when it begins to act.
    fn due(&self) -> Option<(&'static str, Millis)> {
        None
    }

    /// Whether it has something to do in a direction.
    fn acts_in(&self, _: Coverage) -> bool {
        true
    }

    /// What acts on one direction of one connection.
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage>;
}

/// An attribute whose value does not fit the others, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The attribute to correct.
    pub attribute: &'static str,
    /// What is wrong with its value.
    pub reason: Rejected,
}

impl Misfit {
    pub(super) fn new(attribute: &'static str, what: String, hint: impl Into<String>) -> Self {
        Self { attribute, reason: Rejected::new(what, hint) }
    }
}

/// A direction of a connection, with the streams of the toxic.
#[derive(Clone, Copy)]
pub(super) struct Coverage {
    pub direction: Direction,
    /// The streams that the toxic acts on.
    pub stream: Stream,
}

impl Coverage {
    /// Whether a toxic that ends the connection does so from here: it ends both directions, but only once.
    pub(super) fn ends_the_connection(self) -> bool {
        self.stream != Stream::Both || self.direction == Direction::Downstream
    }
}

/// Where a stage acts: in one direction of one connection of a route.
pub(super) struct Place<'a> {
    pub coverage: Coverage,
    /// When it acts.
    pub active: ActiveTime,
    /// What it draws from there.
    pub rng: ToxicRng,
    /// When the connection was opened, by the clock of the route.
    pub opened: Moment,
    /// The first byte of the stream that it acts on.
    pub offset: u64,
    /// What the route's connections share in this direction.
    pub shared: &'a Arc<Buckets>,
}
