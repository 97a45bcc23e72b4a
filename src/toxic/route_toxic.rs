//! A toxic of a live route: when it was added, the state that its connections share, and the stage for each of them.

use std::sync::Arc;

use super::behaviour::{Coverage, Place};
use super::bucket::Buckets;
use super::stats::Recorded;
use super::target::Target;
use super::{ActiveTime, History, Moment, Stage, Toxic};
use crate::dice::Dice;
use crate::value::Direction;

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

    /// Whether the toxic acts in this direction.
    pub(super) fn covers(&self, direction: Direction) -> bool {
        self.toxic.stream.covers(direction) && self.toxic.effect.acts_in(self.coverage(direction))
    }

    fn coverage(&self, direction: Direction) -> Coverage {
        Coverage { direction, stream: self.toxic.stream }
    }

    /// The time in which the toxic acts on a connection, counted from the accept. On a connection that is older than
    /// the toxic, the window starts when the toxic is added.
    pub(super) fn active(&self, opened: Moment) -> ActiveTime {
        ActiveTime::of(self.toxic.selector.window, self.added.saturating_sub(opened))
    }

    /// Creates the stage for one direction of a connection, from byte `offset` on.
    pub(super) fn stage(
        &self,
        dice: &Dice,
        target: &Target,
        direction: Direction,
        offset: u64,
        history: History,
    ) -> Box<dyn Stage> {
        self.toxic.effect.stage(&Place {
            coverage: self.coverage(direction),
            active: self.active(target.opened),
            rng: dice.of_toxic(target.number, &self.toxic.name, direction),
            opened: target.opened,
            offset,
            history,
            shared: match direction {
                Direction::Upstream => &self.upstream,
                Direction::Downstream => &self.downstream,
            },
        })
    }
}

/// Whether one toxic is the other with other attributes: a toxic of another type would act in another way on what is
/// held.
pub(super) fn is_version_of(one: &Toxic, other: &Toxic) -> bool {
    one.name == other.name && one.effect.as_str() == other.effect.as_str()
}
