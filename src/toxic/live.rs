//! The toxics of one route while it is live: which connection meets which, and what connections share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::Stage;
use super::bandwidth::{Bucket, Narrow};
use super::chain::Chain;
use super::corrupt::Corrupting;
use super::latency::Delayed;
use super::limit_data::Limited;
use super::loss::Lossy;
use super::slicer::Slicing;
use super::slow_close::SlowlyClosing;
use super::stall::Stalled;
use super::timeout::{BlackHole, Ended};
use crate::dice::Dice;
use crate::plan::{Direction, Effect, Sharing, Stream, Toxic};

/// What a route's connections meet.
#[derive(Debug)]
pub struct Toxics {
    dice: Dice,
    doses: Vec<Dose>,
}

/// A toxic, and what the connections that it acts on have in common.
#[derive(Debug)]
struct Dose {
    toxic: Arc<Toxic>,
    upstream: Arc<Mutex<Bucket>>,
    downstream: Arc<Mutex<Bucket>>,
}

impl Toxics {
    /// Of a route that has these dice.
    #[must_use]
    pub fn new(toxics: &[Toxic], dice: Dice) -> Self {
        let dose = |toxic: &Toxic| Dose {
            toxic: Arc::new(toxic.clone()),
            upstream: Arc::default(),
            downstream: Arc::default(),
        };
        Self { dice, doses: toxics.iter().map(dose).collect() }
    }

    /// What the bytes of a connection go through in one direction: none, if every toxic spares them.
    #[must_use]
    pub fn chain(&self, connection: u64, client: IpAddr, direction: Direction) -> Option<Chain> {
        let hit = self.doses.iter().filter(|dose| self.hits(&dose.toxic, connection, client));
        let stages: Vec<(Arc<Toxic>, Box<dyn Stage>)> = hit
            .filter(|dose| acts_in(&dose.toxic, direction))
            .filter_map(|dose| Some((Arc::clone(&dose.toxic), self.stage(dose, connection, direction)?)))
            .collect();
        if stages.is_empty() { None } else { Some(Chain::new(stages, direction)) }
    }

    fn hits(&self, toxic: &Toxic, connection: u64, client: IpAddr) -> bool {
        toxic.aim.takes(connection, client) && self.dice.strikes(connection, &toxic.name, toxic.toxicity)
    }

    fn stage(&self, dose: &Dose, connection: u64, direction: Direction) -> Option<Box<dyn Stage>> {
        let Toxic { name, aim, effect, .. } = &*dose.toxic;
        let rng = || self.dice.of_toxic(connection, name, direction);
        Some(match *effect {
            Effect::Latency(latency) => Box::new(Delayed::new(latency, rng())),
            Effect::Bandwidth(bandwidth) => {
                Box::new(Narrow::new(bandwidth, aim.window, dose.bucket(bandwidth.sharing, direction)))
            }
            Effect::PacketLoss(loss) => Box::new(Lossy::new(loss, rng())),
            Effect::Corrupt(corrupt) => Box::new(Corrupting::new(corrupt, rng())),
            Effect::Slicer(slicer) => Box::new(Slicing::new(slicer, rng())),
            Effect::LimitData(limit) => Box::new(Limited::new(limit)),
            Effect::LimitTime(limit) => Box::new(Ended::by_limit(limit, aim.window)),
            Effect::Timeout(timeout) => Box::new(BlackHole::new(timeout, aim.window)),
            Effect::Stall(stall) => Box::new(Stalled::new(stall, aim.window)),
            Effect::SlowClose(slow_close) => Box::new(SlowlyClosing(slow_close)),
            Effect::ResetPeer(reset) => Box::new(Ended::by_reset(reset, aim.window)),
            Effect::Noop => return None,
        })
    }
}

impl Dose {
    fn bucket(&self, sharing: Sharing, direction: Direction) -> Arc<Mutex<Bucket>> {
        match (sharing, direction) {
            (Sharing::Own, _) => Arc::default(),
            (Sharing::Shared, Direction::Upstream) => Arc::clone(&self.upstream),
            (Sharing::Shared, Direction::Downstream) => Arc::clone(&self.downstream),
        }
    }
}

/// What ends a connection as a whole does so once, not once for each direction.
fn acts_in(toxic: &Toxic, direction: Direction) -> bool {
    match (&toxic.effect, toxic.stream) {
        (Effect::LimitTime(_) | Effect::ResetPeer(_), Stream::Both) => direction == Direction::Downstream,
        (_, stream) => stream.covers(direction),
    }
}
