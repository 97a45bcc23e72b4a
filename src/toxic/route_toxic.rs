//! A toxic of a live route: when it came, what the connections share that it acts on, and its stage for each of them.

use std::sync::Arc;

use super::behaviour::{Coverage, Place};
use super::bucket::Buckets;
use super::target::Target;
use super::{ActiveTime, Moment, Stage, Toxic};
use crate::dice::Dice;
use crate::value::Direction;

#[derive(Debug)]
pub(super) struct RouteToxic {
    pub(super) toxic: Arc<Toxic>,
    /// When it came, by the route's clock.
    added: Moment,
    upstream: Arc<Buckets>,
    downstream: Arc<Buckets>,
}

impl RouteToxic {
    pub(super) fn new(toxic: &Toxic, added: Moment) -> Self {
        Self { toxic: Arc::new(toxic.clone()), added, upstream: Arc::default(), downstream: Arc::default() }
    }

    /// Whether it has something to do in that direction.
    pub(super) fn covers(&self, direction: Direction) -> bool {
        self.toxic.stream.covers(direction) && self.toxic.effect.acts_in(self.coverage(direction))
    }

    fn coverage(&self, direction: Direction) -> Coverage {
        Coverage { direction, stream: self.toxic.stream }
    }

    /// When it acts on a connection, by that one's clock. On one that is older than itself its time begins when it comes.
    pub(super) fn active(&self, opened: Moment) -> ActiveTime {
        ActiveTime::of(self.toxic.selector.window, self.added.saturating_sub(opened))
    }

    /// What it does to the bytes of a connection that go in one direction, from byte `offset` on.
    pub(super) fn stage(&self, dice: &Dice, target: &Target, direction: Direction, offset: u64) -> Box<dyn Stage> {
        self.toxic.effect.stage(&Place {
            coverage: self.coverage(direction),
            active: self.active(target.opened),
            rng: dice.of_toxic(target.number, &self.toxic.name, direction),
            opened: target.opened,
            offset,
            shared: match direction {
                Direction::Upstream => &self.upstream,
                Direction::Downstream => &self.downstream,
            },
        })
    }
}
