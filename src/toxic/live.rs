//! The toxics of a live route, and which connections they act on. The set is immutable: a change creates a new set that
//! shares the unchanged toxics.

use std::sync::Arc;

use super::Moment;
use super::chain::Chain;
use super::route_toxic::{RouteToxic, Stages, is_version_of};
use super::stats::Recorded;
use super::target::Target;
use crate::dice::{Dice, Draw};
use crate::toxic::Toxic;
use crate::value::Direction;

/// The toxics of one route.
#[derive(Debug)]
pub struct Toxics {
    dice: Dice,
    recorded: Recorded,
    live: Vec<Arc<RouteToxic>>,
}

impl Toxics {
    /// Creates the toxics of a route with these dice; `recorded` of their acts become events.
    #[must_use]
    pub fn new(toxics: &[Toxic], dice: Dice, recorded: Recorded) -> Self {
        let live = toxics.iter().map(|toxic| Arc::new(RouteToxic::new(toxic, Moment::ZERO, recorded)));
        Self { dice, recorded, live: live.collect() }
    }

    /// Replaces the toxics at `now`, by the route's clock. Unchanged toxics keep their shared state.
    #[must_use]
    pub fn replaced_by(&self, toxics: &[Toxic], now: Moment) -> Self {
        let live = toxics.iter().map(|toxic| match self.live.iter().find(|old| is_version_of(&old.toxic, toxic)) {
            Some(old) if *old.toxic == *toxic => Arc::clone(old),
            Some(old) => Arc::new(old.updated_to(toxic)),
            None => Arc::new(RouteToxic::new(toxic, now, self.recorded)),
        });
        Self { dice: self.dice.clone(), recorded: self.recorded, live: live.collect() }
    }

    /// Creates the chain for a stream that was forwarded without toxics so far. Its last bytes, `unsent`, were received
    /// but not yet sent.
    #[must_use]
    pub fn chain_after(
        &self,
        target: &Target<'_>,
        direction: Direction,
        received: u64,
        unsent: &[u8],
        now: Moment,
    ) -> Chain {
        let mut chain = Chain::new(self.stages(target, direction), received - unsent.len() as u64);
        chain.preload(unsent);
        self.rebuild(&mut chain, target, now);
        chain
    }

    /// Creates the chain for one direction of a connection that has already received `received` bytes. `None` if no
    /// toxic acts on it and its messages are not recorded.
    #[must_use]
    pub fn chain(&self, target: &Target<'_>, direction: Direction, received: u64) -> Option<Chain> {
        let needs = |toxic: &RouteToxic| toxic.covers(direction) || toxic.watches(direction);
        let is_hit = |toxic: &Arc<RouteToxic>| needs(toxic) && self.selects(toxic, target);
        let is_needed = target.conversation.messages().is_some() || self.live.iter().any(is_hit);
        if is_needed { Some(self.compose(target, direction, received)) } else { None }
    }

    /// Never inlined: most connections are not selected by any toxic, and should not need the stack for this call.
    #[inline(never)]
    fn compose(&self, target: &Target<'_>, direction: Direction, received: u64) -> Chain {
        let mut chain = Chain::new(self.stages(target, direction), received);
        self.rebuild(&mut chain, target, Moment::ZERO);
        chain
    }

    fn stages(&self, target: &Target<'_>, direction: Direction) -> Stages {
        Stages { dice: self.dice.clone(), number: target.number, opened: target.opened, direction }
    }

    /// Applies these toxics to a live chain of the connection.
    pub fn rebuild(&self, chain: &mut Chain, target: &Target<'_>, now: Moment) {
        let direction = chain.direction();
        let selected = |needs: fn(&RouteToxic, Direction) -> bool| {
            let live = self.live.iter().filter(|toxic| needs(toxic, direction) && self.selects(toxic, target));
            live.cloned().collect()
        };
        chain.exchange(selected(RouteToxic::covers), now);
        chain.watch(selected(RouteToxic::watches), target.conversation, now);
    }

    fn selects(&self, RouteToxic { toxic, .. }: &RouteToxic, target: &Target<'_>) -> bool {
        toxic.selector.selects(target.number, target.client, target.destination) && self.draw(toxic, target).hits()
    }

    fn draw(&self, toxic: &Toxic, target: &Target<'_>) -> Draw {
        self.dice.toxicity_draw(target.number, &toxic.name, toxic.toxicity)
    }

    /// The draw of each toxic whose selector takes that connection, for the log.
    pub fn draws(&self, target: &Target<'_>) -> impl Iterator<Item = (&Toxic, Draw)> {
        let selected =
            self.live.iter().filter(|it| it.toxic.selector.selects(target.number, target.client, target.destination));
        selected.map(|it| (&*it.toxic, self.draw(&it.toxic, target)))
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

    /// Each direction of each connection has its own thread, as in the proxy.
    #[test]
    fn threads_do_not_change_the_outcome() {
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
        // Each connection and direction has its own outcome.
        assert!(by_one.iter().enumerate().all(|(place, outcome)| !by_one[..place].contains(outcome)));
    }

    /// 40,000 draws at 0.3 have a mean of 12,000 and a standard deviation of sqrt(40,000 * 0.3 * 0.7) = 91.7. The bound
    /// is six of those.
    #[test]
    fn toxicity_is_the_share_of_connections_for_both_directions_at_once() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hits = |connection, direction| route.chain(&target(connection, ms(0)), direction, 0).is_some();
        let hit = (1..=40_000).filter(|&connection| hits(connection, Direction::Upstream)).count();
        assert!(hit.abs_diff(12_000) < 550, "{hit}");
        assert!((1..=1000).all(|it| hits(it, Direction::Upstream) == hits(it, Direction::Downstream)));
    }

    /// A seed must give the same draws in every release.
    #[test]
    fn a_seed_always_selects_the_same_connections() {
        let route = route(&[Toxic { toxicity: share(0.3), ..toxic(0, steady(5)) }]);
        let hit =
            (1..=30).filter(|&connection| route.chain(&target(connection, ms(0)), Direction::Downstream, 0).is_some());
        assert_eq!(hit.collect::<Vec<u64>>(), [3, 5, 6, 18, 20, 22, 29, 30]);
    }

    /// Draws depend on the name of a toxic, not on its position: adding or removing toxics before it changes nothing.
    #[test]
    fn draws_depend_on_the_name_of_the_toxic_only() {
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
    fn a_connection_without_acting_toxics_has_no_chain() {
        let has_no_chain = |toxic| route(&[toxic]).chain(&target(3, ms(0)), Direction::Upstream, 0).is_none();
        let mut elsewhere = toxic(0, steady(5));
        assert!(!has_no_chain(elsewhere.clone()));
        elsewhere.selector.clients = vec!["10.0.0.0/8".parse().expect("a network")];
        let mut another = toxic(0, steady(5));
        another.selector.connections = "1-2".parse().expect("connections");
        assert!(has_no_chain(elsewhere) && has_no_chain(another) && has_no_chain(toxic(0, Effect::Noop(Noop {}))));
        assert!(has_no_chain(Toxic { toxicity: share(0.0), ..toxic(0, steady(5)) }));
        assert!(has_no_chain(Toxic { stream: Stream::Downstream, ..toxic(0, steady(5)) }));
    }
}
