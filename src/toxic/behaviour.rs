//! The behaviour of a toxic, as opposed to its declaration: which attributes conflict, when it ends the connection, and
//! the stage that processes a stream.

use std::sync::Arc;

use super::bucket::Buckets;
use super::{ActiveTime, History, Moment, Stage};
use crate::dice::ToxicRng;
use crate::value::{Direction, Millis, Rejected, Stream};

/// Implemented by every type of toxic.
pub(super) trait Behaviour {
    /// Returns every attribute whose value is valid alone but conflicts with the others.
    fn misfits(&self) -> Vec<Misfit> {
        Vec::new()
    }

    /// The attribute with the time after which the toxic ends the connection, and its value. The time counts from when
    /// the toxic begins to act.
    fn due(&self) -> Option<(&'static str, Millis)> {
        None
    }

    /// Whether the toxic acts in this direction.
    fn acts_in(&self, coverage: Coverage) -> bool {
        coverage.has_stream()
    }

    /// Creates the stage for one direction of one connection.
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage>;
}

/// An attribute whose value conflicts with the others, and the reason.
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

/// One direction of a connection, with what the toxic does there.
#[derive(Clone, Copy)]
pub(super) struct Coverage {
    pub direction: Direction,
    /// The streams that the toxic acts on.
    pub stream: Stream,
    /// The stream that the toxic's trigger watches.
    pub watched: Option<Direction>,
}

impl Coverage {
    /// Whether the toxic acts on the bytes of this direction.
    pub(super) fn has_stream(self) -> bool {
        self.stream.covers(self.direction)
    }

    /// Whether a toxic that ends the connection does so in this direction. It ends both directions, but must do so only
    /// once: where its trigger is watched for, so that the end comes exactly there.
    pub(super) fn ends_the_connection(self) -> bool {
        let ends_in = self.watched.unwrap_or(match self.stream {
            Stream::Upstream => Direction::Upstream,
            Stream::Downstream | Stream::Both => Direction::Downstream,
        });
        self.direction == ends_in
    }
}

/// Where and when a stage acts: one direction of one connection.
pub(super) struct Place<'a> {
    pub coverage: Coverage,
    /// The time in which the stage acts.
    pub active: ActiveTime,
    /// The random draws of the stage.
    pub rng: ToxicRng,
    /// When the connection was accepted, by the route's clock.
    pub opened: Moment,
    /// The offset of the first byte that the stage receives.
    pub offset: u64,
    /// What an earlier version of the toxic has done to the stream.
    pub history: History,
    /// The buckets that all connections of the route share in this direction.
    pub shared: &'a Arc<Buckets>,
}
