//! A toxic of a live route: when it was added, the state that its connections share, and the stage for each of them.

use std::sync::Arc;

use super::behaviour::{Coverage, Place};
use super::bucket::Buckets;
use super::out::Out;
use super::stats::{Recorded, ToxicStats};
use super::{ActiveTime, End, History, Moment, NEVER, Span, Stage, Toxic};
use crate::dice::Dice;
use crate::value::{Direction, Millis};

#[derive(Debug)]
pub(super) struct RouteToxic {
    pub(super) toxic: Arc<Toxic>,
    /// When the toxic was added, by the route's clock.
    added: Moment,
    pub(super) recorded: Recorded,
    upstream: Arc<Buckets>,
    downstream: Arc<Buckets>,
}

impl RouteToxic {
    pub(super) fn new(toxic: &Toxic, added: Moment, recorded: Recorded) -> Self {
        Self { toxic: Arc::new(toxic.clone()), added, recorded, upstream: Arc::default(), downstream: Arc::default() }
    }

    /// The toxic with other attributes. Its times still count from when it was added.
    pub(super) fn updated_to(&self, toxic: &Toxic) -> Self {
        Self::new(toxic, self.added, self.recorded)
    }

    /// Whether one is the other with other attributes.
    pub(super) fn is_version_of(&self, other: &Self) -> bool {
        is_version_of(&self.toxic, &other.toxic)
    }

    /// Whether one is the other, perhaps with other attributes, and was not removed in between.
    pub(super) fn is_same_addition(&self, other: &Self) -> bool {
        self.added == other.added && self.is_version_of(other)
    }

    /// Whether the toxic needs a link in this direction.
    pub(super) fn covers(&self, direction: Direction) -> bool {
        self.toxic.effect.acts_in(self.coverage(direction)) || self.holds(direction)
    }

    /// Whether the toxic's trigger watches this direction.
    pub(super) fn watches(&self, direction: Direction) -> bool {
        self.watched() == Some(direction)
    }

    /// The direction that the toxic's trigger watches.
    pub(super) fn watched(&self) -> Option<Direction> {
        self.toxic.when.as_ref().map(|trigger| trigger.stream)
    }

    /// Whether the toxic holds this direction from a point of the other one on. It ends the connection there, so an
    /// answer to the bytes before the point must not arrive in the meantime.
    fn holds(&self, direction: Direction) -> bool {
        let ends_at_once = || {
            let due = self.toxic.effect.due().map(|(_, due)| due);
            due == Some(Millis::default()) && self.toxic.selector.window.after == Millis::default()
        };
        self.watched().is_some_and(|watched| watched != direction) && ends_at_once()
    }

    fn coverage(&self, direction: Direction) -> Coverage {
        Coverage { direction, stream: self.toxic.stream, watched: self.watched() }
    }

    /// The time in which the toxic acts on a connection, counted from the accept. On a connection that is older than
    /// the toxic, the window starts when the toxic is added.
    pub(super) fn active(&self, opened: Moment) -> ActiveTime {
        self.active_since(self.added.saturating_sub(opened))
    }

    /// The time in which the toxic acts on a connection on which it was triggered at `since`.
    pub(super) fn active_since(&self, since: Moment) -> ActiveTime {
        ActiveTime::of(self.toxic.selector.window, since)
    }
}

/// Creates the stages of one direction of a connection.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) dice: Dice,
    pub(super) number: u64,
    /// When the connection was accepted, by the route's clock.
    pub(super) opened: Moment,
    pub(super) direction: Direction,
}

impl Stages {
    /// The stage of a toxic that acts in the given time, from byte `offset` on.
    pub(super) fn stage(
        &self,
        toxic: &RouteToxic,
        active: ActiveTime,
        offset: u64,
        history: History,
    ) -> Box<dyn Stage> {
        let direction = self.direction;
        if toxic.holds(direction) {
            return Box::new(Hold);
        }
        toxic.toxic.effect.stage(&Place {
            coverage: toxic.coverage(direction),
            active,
            rng: self.dice.of_toxic(self.number, &toxic.toxic.name, direction),
            opened: self.opened,
            offset,
            history,
            shared: match direction {
                Direction::Upstream => &toxic.upstream,
                Direction::Downstream => &toxic.downstream,
            },
        })
    }
}

/// Holds everything until the other direction has ended the connection. What it does is no act of the toxic.
struct Hold;

impl Stage for Hold {
    fn pass(&mut self, span: Span, out: &mut Out<'_>) {
        out.pass(Span { at: NEVER, ..span });
    }

    fn finish(&mut self, _: End, _: &mut ToxicStats) -> Moment {
        NEVER
    }
}

/// Whether one toxic is the other with other attributes: a toxic of another type would act in another way on what is
/// held, and one with another trigger begins anew.
pub(super) fn is_version_of(one: &Toxic, other: &Toxic) -> bool {
    one.name == other.name && one.effect.as_str() == other.effect.as_str() && one.when == other.when
}
