//! The toxics of one route while it is live: which connection meets which. They are an immutable value: another set of
//! toxics is another value, in which those that stay the same live on.

use std::sync::Arc;

use super::Moment;
use super::chain::Chain;
use super::route_toxic::RouteToxic;
use super::target::Target;
use crate::dice::Dice;
use crate::toxic::Toxic;
use crate::value::Direction;

/// What a route's connections meet.
#[derive(Debug)]
pub struct Toxics {
    dice: Dice,
    toxics: Vec<Arc<RouteToxic>>,
}

impl Toxics {
    /// Of a route that has these dice.
    #[must_use]
    pub fn new(toxics: &[Toxic], dice: Dice) -> Self {
        Self { dice, toxics: toxics.iter().map(|toxic| Arc::new(RouteToxic::new(toxic, Moment::ZERO))).collect() }
    }

    /// These toxics instead, from `now` on, by the route's clock. One that was there already stays as it is.
    #[must_use]
    pub fn replaced_by(&self, toxics: &[Toxic], now: Moment) -> Self {
        let stays = |toxic: &Toxic| self.toxics.iter().find(|old| *old.toxic == *toxic).cloned();
        let toxics = toxics.iter().map(|toxic| stays(toxic).unwrap_or_else(|| Arc::new(RouteToxic::new(toxic, now))));
        Self { dice: self.dice.clone(), toxics: toxics.collect() }
    }

    /// The same for a stream whose last bytes `unsent` have been received without toxics and wait to be sent.
    #[must_use]
    pub fn chain_after(
        &self,
        target: &Target,
        direction: Direction,
        received: u64,
        unsent: &[u8],
        now: Moment,
    ) -> Chain {
        let mut chain = Chain::new(direction, received - unsent.len() as u64);
        chain.preload(unsent);
        self.rebuild(&mut chain, target, now);
        chain
    }

    /// What the bytes of a connection go through in one direction, of which `received` have passed already: none, if no
    /// toxic acts on it.
    #[must_use]
    pub fn chain(&self, target: &Target, direction: Direction, received: u64) -> Option<Chain> {
        let is_hit = |toxic: &Arc<RouteToxic>| toxic.covers(direction) && self.selects(toxic, target);
        if self.toxics.iter().any(is_hit) { Some(self.compose(target, direction, received)) } else { None }
    }

    /// Never inlined: a connection that no toxic selects, as is most often the case, needs no stack for it.
    #[inline(never)]
    fn compose(&self, target: &Target, direction: Direction, received: u64) -> Chain {
        let mut chain = Chain::new(direction, received);
        self.rebuild(&mut chain, target, Moment::ZERO);
        chain
    }

    /// Has a chain of that connection go on with these toxics.
    pub fn rebuild(&self, chain: &mut Chain, target: &Target, now: Moment) {
        let direction = chain.direction();
        let acts = |toxic: &&Arc<RouteToxic>| toxic.covers(direction) && self.selects(toxic, target);
        let acting = self.toxics.iter().filter(acts).cloned().collect();
        chain.exchange(acting, target.opened, now, |toxic, direction, received| {
            toxic.stage(&self.dice, target, direction, received)
        });
    }

    fn selects(&self, RouteToxic { toxic, .. }: &RouteToxic, target: &Target) -> bool {
        toxic.selector.takes(target.number, target.client)
            && self.dice.selects(target.number, &toxic.name, toxic.toxicity)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::toxic::trial::{
        Outcome, bandwidth, corrupt, latency, loss, ms, route, send, share, slicer, steady, stream, target, toxic,
    };
    use crate::toxic::{Distribution, Effect, Noop, Sharing};
    use crate::value::Stream;

    /// As it goes in earnest: each direction of each connection on a thread of its own.
    #[test]
    fn two_hundred_threads_see_what_one_sees() {
        let effects =
            [latency(100, 50, 0.3, Distribution::Normal), loss(0.1, 0.2), corrupt(0.01), slicer(300, 200, 50)];
        let toxics: Vec<Toxic> = (0..).zip(effects).map(|(place, effect)| toxic(place, effect)).collect();
        let route = route(&toxics);
        let ways = [Direction::Upstream, Direction::Downstream];
        let all: Vec<_> = (1..=100).flat_map(|connection| ways.map(|direction| (connection, direction))).collect();
        let pass = |&(connection, direction): &(u64, Direction)| -> Outcome {
            let mut chain = route.chain(&target(connection, ms(0)), direction, 0).expect("it acts");
            send(&mut chain, &stream(20_000), [(20_000, ms(0))])
        };
        let by_one: Vec<Outcome> = all.iter().map(pass).collect();
        let by_many: Vec<Outcome> = thread::scope(|scope| {
            let threads: Vec<_> = all.iter().map(|way| scope.spawn(|| pass(way))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(by_one == by_many);
        // And no two see the same.
        assert!(by_one.iter().enumerate().all(|(place, outcome)| !by_one[..place].contains(outcome)));
    }

    /// 40,000 draws at 0.3: mean 12,000, standard deviation sqrt(40,000 * 0.3 * 0.7) = 91.7, and six of those are 550.
    #[test]
    fn toxicity_is_the_share_of_connections_for_both_directions_at_once() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hits = |connection, direction| route.chain(&target(connection, ms(0)), direction, 0).is_some();
        let hit = (1..=40_000).filter(|&connection| hits(connection, Direction::Upstream)).count();
        assert!(hit.abs_diff(12_000) < 550, "{hit}");
        assert!((1..=1000).all(|it| hits(it, Direction::Upstream) == hits(it, Direction::Downstream)));
    }

    /// What a seed gives is a promise.
    #[test]
    fn a_seed_strikes_the_same_connections_for_ever() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hit =
            (1..=30).filter(|&connection| route.chain(&target(connection, ms(0)), Direction::Downstream, 0).is_some());
        assert_eq!(hit.collect::<Vec<u64>>(), [3, 5, 6, 18, 20, 22, 29, 30]);
    }

    /// A toxic draws by its name, not by its place: others that come and go before it change nothing for it.
    #[test]
    fn the_luck_of_a_toxic_is_its_own() {
        let (here, there) = (toxic(0, corrupt(0.1)), toxic(1, corrupt(0.1)));
        let sent = stream(1000);
        let flips = |toxics: &[Toxic]| {
            let mut chain = route(toxics).chain(&target(1, ms(0)), Direction::Downstream, 0).expect("it acts");
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
    fn a_connection_that_all_toxics_spare_has_no_chain() {
        let spared = |toxic| route(&[toxic]).chain(&target(3, ms(0)), Direction::Upstream, 0).is_none();
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
