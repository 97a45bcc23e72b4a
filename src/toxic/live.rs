//! The toxics of an open route: which of them act on a connection, and what connections share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::bandwidth::Bucket;
use super::behaviour::Place;
use super::chain::Chain;
use super::{Moment, Stage, Toxic};
use crate::dice::Dice;
use crate::value::Direction;

/// What a route's connections meet.
#[derive(Debug)]
pub struct Toxics {
    dice: Dice,
    toxics: Vec<RouteToxic>,
}

/// A toxic, and what the connections that it acts on have in common.
#[derive(Debug)]
struct RouteToxic {
    toxic: Arc<Toxic>,
    upstream: Arc<Mutex<Bucket>>,
    downstream: Arc<Mutex<Bucket>>,
}

impl Toxics {
    /// Of a route that has these dice.
    #[must_use]
    pub fn new(toxics: &[Toxic], dice: Dice) -> Self {
        let route_toxic = |toxic: &Toxic| RouteToxic {
            toxic: Arc::new(toxic.clone()),
            upstream: Arc::default(),
            downstream: Arc::default(),
        };
        Self { dice, toxics: toxics.iter().map(route_toxic).collect() }
    }

    /// What the bytes of a connection go through in one direction: none, if every toxic spares them. When it was `opened`
    /// is told by one clock for all of the route's connections, for what they share.
    #[must_use]
    pub fn chain(&self, connection: u64, client: IpAddr, opened: Moment, direction: Direction) -> Option<Chain> {
        let acts = |route_toxic: &&RouteToxic| {
            route_toxic.toxic.stream.covers(direction) && self.hits(&route_toxic.toxic, connection, client)
        };
        let toxics: Vec<&RouteToxic> = self.toxics.iter().filter(acts).collect();
        if toxics.is_empty() { None } else { self.compose(&toxics, connection, opened, direction) }
    }

    /// Never inlined: a connection that is spared, as most are, needs no stack for it.
    #[inline(never)]
    fn compose(&self, toxics: &[&RouteToxic], connection: u64, opened: Moment, direction: Direction) -> Option<Chain> {
        let stage = |route_toxic: &&RouteToxic| {
            Some((Arc::clone(&route_toxic.toxic), self.stage(route_toxic, connection, opened, direction)?))
        };
        let stages: Vec<_> = toxics.iter().filter_map(stage).collect();
        if stages.is_empty() { None } else { Some(Chain::new(stages, direction)) }
    }

    fn hits(&self, toxic: &Toxic, connection: u64, client: IpAddr) -> bool {
        toxic.selector.takes(connection, client) && self.dice.selects(connection, &toxic.name, toxic.toxicity)
    }

    fn stage(
        &self,
        route_toxic: &RouteToxic,
        connection: u64,
        opened: Moment,
        direction: Direction,
    ) -> Option<Box<dyn Stage>> {
        let Toxic { name, selector, effect, stream, .. } = &*route_toxic.toxic;
        effect.stage(&Place {
            direction,
            stream: *stream,
            window: selector.window,
            rng: self.dice.of_toxic(connection, name, direction),
            opened,
            shared: match direction {
                Direction::Upstream => &route_toxic.upstream,
                Direction::Downstream => &route_toxic.downstream,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::toxic::trial::{
        CLIENT, Outcome, bandwidth, corrupt, latency, loss, ms, route, send, share, slicer, steady, stream, toxic,
    };
    use crate::toxic::{Distribution, Effect, Noop, Sharing};
    use crate::value::Stream;

    /// As in the proxy: each direction of each connection has its own thread.
    #[test]
    fn two_hundred_threads_draw_the_same_as_one() {
        let effects =
            [latency(100, 50, 0.3, Distribution::Normal), loss(0.1, 0.2), corrupt(0.01), slicer(300, 200, 50)];
        let toxics: Vec<Toxic> = (0..).zip(effects).map(|(place, effect)| toxic(place, effect)).collect();
        let route = route(&toxics);
        let ways = [Direction::Upstream, Direction::Downstream];
        let all: Vec<_> = (1..=100).flat_map(|connection| ways.map(|direction| (connection, direction))).collect();
        let pass = |&(connection, direction): &(u64, Direction)| -> Outcome {
            let mut chain = route.chain(connection, CLIENT, ms(0), direction).expect("it acts");
            send(&mut chain, &stream(20_000), [(20_000, ms(0))])
        };
        let by_one: Vec<Outcome> = all.iter().map(pass).collect();
        let by_many: Vec<Outcome> = thread::scope(|scope| {
            let threads: Vec<_> = all.iter().map(|way| scope.spawn(|| pass(way))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(by_one == by_many);
        // And no two are equal.
        assert!(by_one.iter().enumerate().all(|(place, outcome)| !by_one[..place].contains(outcome)));
    }

    /// 40,000 draws at 0.3: mean 12,000, standard deviation sqrt(40,000 * 0.3 * 0.7) = 91.7, and six of those are 550.
    #[test]
    fn toxicity_is_the_share_of_connections_for_both_directions_at_once() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hits = |connection, direction| route.chain(connection, CLIENT, ms(0), direction).is_some();
        let hit = (1..=40_000).filter(|&connection| hits(connection, Direction::Upstream)).count();
        assert!(hit.abs_diff(12_000) < 550, "{hit}");
        assert!((1..=1000).all(|it| hits(it, Direction::Upstream) == hits(it, Direction::Downstream)));
    }

    /// A seed must give the same draws in every release.
    #[test]
    fn a_seed_always_selects_the_same_connections() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hit =
            (1..=30).filter(|&connection| route.chain(connection, CLIENT, ms(0), Direction::Downstream).is_some());
        assert_eq!(hit.collect::<Vec<u64>>(), [3, 5, 6, 18, 20, 22, 29, 30]);
    }

    /// Draws depend on the name of a toxic, not on its place: other toxics before it change nothing.
    #[test]
    fn draws_do_not_depend_on_other_toxics() {
        let (here, there) = (toxic(0, corrupt(0.1)), toxic(1, corrupt(0.1)));
        let sent = stream(1000);
        let flips = |toxics: &[Toxic]| {
            let mut chain = route(toxics).chain(1, CLIENT, ms(0), Direction::Downstream).expect("it acts");
            let bytes = send(&mut chain, &sent, [(1000, ms(0))]).bytes;
            bytes.iter().zip(&sent).map(|(one, other)| one ^ other).collect::<Vec<u8>>()
        };
        let (alone, other) = (flips(std::slice::from_ref(&here)), flips(std::slice::from_ref(&there)));
        assert_ne!(alone, other);
        assert_eq!(alone, flips(&[toxic(2, bandwidth(9, 0, Sharing::Own)), here.clone()]));
        let both: Vec<u8> = alone.iter().zip(&other).map(|(one, other)| one ^ other).collect();
        assert_eq!(flips(&[here.clone(), there.clone()]), both);
        assert_eq!(flips(&[there, here]), both);
    }

    #[test]
    fn a_connection_without_toxics_has_no_chain() {
        let spared = |toxic| route(&[toxic]).chain(3, CLIENT, ms(0), Direction::Upstream).is_none();
        let mut elsewhere = toxic(0, steady(5));
        assert!(!spared(elsewhere.clone()));
        elsewhere.selector.clients = vec!["10.0.0.0/8".parse().expect("a network")];
        let mut another = toxic(0, steady(5));
        another.selector.connections = "1-2".parse().expect("connections");
        assert!(spared(elsewhere) && spared(another) && spared(toxic(0, Effect::Noop(Noop {}))));
        assert!(spared(Toxic { toxicity: share(0.0), ..toxic(0, steady(5)) }));
        assert!(spared(Toxic { stream: Stream::Downstream, ..toxic(0, steady(5)) }));
    }
}
