//! A toxic of a live route: when it came, what the connections share that it acts on, and its stage for each of them.

use std::sync::Arc;

use super::bandwidth::{BandwidthStage, Buckets};
use super::corrupt::CorruptStage;
use super::deadline::DeadlineStage;
use super::latency::LatencyStage;
use super::limit_data::LimitDataStage;
use super::live::Target;
use super::packet_loss::PacketLossStage;
use super::slicer::SlicerStage;
use super::slow_close::SlowCloseStage;
use super::stall::StallStage;
use super::timeout::TimeoutStage;
use super::{ActiveTime, Moment, Stage};
use crate::dice::Dice;
use crate::plan::{Direction, Effect, Sharing, Stream, TimeoutToxic, Toxic};

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

    /// Whether it has something to do in that direction. What ends a connection as a whole does so once.
    pub(super) fn covers(&self, direction: Direction) -> bool {
        match self.toxic.effect {
            Effect::Noop => false,
            Effect::LimitTime(_) | Effect::ResetPeer(_) => {
                self.toxic.stream.covers(direction) && ends_in(self.toxic.stream, direction)
            }
            _ => self.toxic.stream.covers(direction),
        }
    }

    /// When it acts on a connection, by that one's clock. On one that is older than itself its time begins when it comes.
    pub(super) fn active(&self, opened: Moment) -> ActiveTime {
        ActiveTime::of(self.toxic.selector.window, self.added.saturating_sub(opened))
    }

    /// What it does to the bytes of a connection that go in one direction, from byte `offset` on.
    pub(super) fn stage(&self, dice: &Dice, target: &Target, direction: Direction, offset: u64) -> Box<dyn Stage> {
        let Toxic { name, effect, stream, .. } = &*self.toxic;
        let (active, rng) = (self.active(target.opened), dice.of_toxic(target.number, name, direction));
        match *effect {
            Effect::Latency(latency) => Box::new(LatencyStage::new(latency, rng)),
            Effect::Bandwidth(bandwidth) => {
                let buckets = self.buckets(bandwidth.sharing(), direction);
                Box::new(BandwidthStage::new(bandwidth, active, target.opened, buckets))
            }
            Effect::PacketLoss(loss) => Box::new(PacketLossStage::new(loss, active, rng)),
            Effect::Corrupt(corrupt) => Box::new(CorruptStage::new(corrupt, rng)),
            Effect::Slicer(slicer) => Box::new(SlicerStage::new(slicer, rng.in_order(), offset)),
            Effect::LimitData(limit) => Box::new(LimitDataStage::new(limit)),
            Effect::LimitTime(limit) => Box::new(DeadlineStage::of_limit(limit, active)),
            Effect::Timeout(timeout) if ends_in(*stream, direction) => Box::new(TimeoutStage::new(timeout, active)),
            Effect::Timeout(_) => Box::new(TimeoutStage::new(TimeoutToxic::FOR_EVER, active)),
            Effect::Stall(stall) => Box::new(StallStage::new(stall, active)),
            Effect::SlowClose(slow_close) => Box::new(SlowCloseStage(slow_close)),
            Effect::ResetPeer(reset) => Box::new(DeadlineStage::of_reset(reset, active)),
            Effect::Noop => Box::new(Noop),
        }
    }

    fn buckets(&self, sharing: Sharing, direction: Direction) -> Arc<Buckets> {
        match (sharing, direction) {
            (Sharing::Own, _) => Arc::default(),
            (Sharing::Shared, Direction::Upstream) => Arc::clone(&self.upstream),
            (Sharing::Shared, Direction::Downstream) => Arc::clone(&self.downstream),
        }
    }
}

struct Noop;

impl Stage for Noop {}

/// What ends a connection as a whole does so once, not once for each direction.
fn ends_in(stream: Stream, direction: Direction) -> bool {
    stream != Stream::Both || direction == Direction::Downstream
}
