//! Every random decision. A draw is a function of the seed, the route's name, the connection's number on that route and
//! what is drawn for: no state, no order of calls, no thread enters into it. So the same seed meets the same
//! connections in every run, and adding a route or reordering them changes nothing for the others.

use fastrand::Rng;

use crate::value::{Direction, Probability, RouteName, ToxicName};

/// What a draw is for, so that no two decisions about one connection share their luck.
#[derive(Clone, Copy)]
enum Purpose {
    Drop = 1,
    Toxicity = 2,
    ToxicUpstream = 3,
    ToxicDownstream = 4,
}

/// The dice of one route.
#[derive(Clone, Debug)]
pub struct Dice {
    route: u64,
}

impl Dice {
    /// The dice that `seed` gives the route of that name.
    #[must_use]
    pub fn new(seed: u64, route: &RouteName) -> Self {
        Self { route: mix_text(mix(seed), route.as_str()) }
    }

    /// Whether the route's connection of that number (1, 2, 3, …) is to be dropped.
    #[must_use]
    pub fn drops(&self, connection: u64, rate: Probability) -> bool {
        // f64() is below 1.0, so that a rate of 1.0 always hits and one of 0.0 never does.
        self.rng(Purpose::Drop, connection).f64() < rate.get()
    }

    /// Whether the toxic of that name acts on the route's connection of that number: one draw for both directions.
    #[must_use]
    pub fn selects(&self, connection: u64, toxic: &ToxicName, toxicity: Probability) -> bool {
        ToxicRng(self.toxic_state(Purpose::Toxicity, connection, toxic)).in_order().f64() < toxicity.get()
    }

    /// What that toxic draws from on that connection, for the bytes that go in one direction.
    #[must_use]
    pub fn of_toxic(&self, connection: u64, toxic: &ToxicName, direction: Direction) -> ToxicRng {
        let purpose = match direction {
            Direction::Upstream => Purpose::ToxicUpstream,
            Direction::Downstream => Purpose::ToxicDownstream,
        };
        ToxicRng(self.toxic_state(purpose, connection, toxic))
    }

    fn rng(&self, purpose: Purpose, connection: u64) -> Rng {
        Rng::with_seed(self.state(purpose, connection))
    }

    fn toxic_state(&self, purpose: Purpose, connection: u64, toxic: &ToxicName) -> u64 {
        mix_text(self.state(purpose, connection), toxic.as_str())
    }

    fn state(&self, purpose: Purpose, connection: u64) -> u64 {
        mix(mix(self.route ^ purpose as u64) ^ connection)
    }
}

/// What one toxic draws from on one connection and direction.
#[derive(Clone, Copy, Debug)]
pub struct ToxicRng(u64);

impl ToxicRng {
    /// For draws in the order of the bytes, from the first one on.
    #[must_use]
    pub fn in_order(self) -> Rng {
        Rng::with_seed(self.0)
    }

    /// For draws about one block of bytes, whatever was drawn about those before it.
    #[must_use]
    pub fn of_block(self, index: u64) -> Rng {
        Rng::with_seed(mix(self.0 ^ mix(index)))
    }
}

/// A seed for a run that was given none: short enough to be typed, and to pass through JSON readers that keep numbers as
/// doubles.
#[must_use]
pub fn fresh_seed() -> u64 {
    fastrand::u32(..).into()
}

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014: "Fast splittable pseudorandom number generators"). Generators
/// that are seeded with neighbouring numbers draw alike at first; mixed ones don't.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mix_text(state: u64, text: &str) -> u64 {
    text.bytes().fold(state, |state, byte| mix(state ^ u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dice(seed: u64, route: &str) -> Dice {
        Dice::new(seed, &route.parse().expect(route))
    }

    fn rate(number: f64) -> Probability {
        number.try_into().expect("a probability")
    }

    fn dropped(dice: &Dice, number: f64, connections: u64) -> Vec<u64> {
        (1..=connections).filter(|&connection| dice.drops(connection, rate(number))).collect()
    }

    /// What a seed gives is a promise to whoever wrote it down: no release of ours or of fastrand may change it.
    #[test]
    fn a_seed_drops_the_same_connections_for_ever() {
        let golden: [(u64, &str, &[u64]); 3] = [
            (42, "8180", &[9, 11, 16, 23, 24, 26]),
            (42, "8181", &[12, 15, 19, 22, 26, 29, 30, 33, 39]),
            (43, "8180", &[3, 5, 6, 18, 19, 21, 27, 31, 38]),
        ];
        for (seed, route, expected) in golden {
            assert_eq!(dropped(&dice(seed, route), 0.2, 40), expected, "{seed} {route}");
        }
    }

    /// 40,000 draws at p = 0.3: the count has mean 12,000 and standard deviation sqrt(40,000 * 0.3 * 0.7) = 91.7. Six
    /// of those either way are 550: a fair dice fails for one seed in 500 million, and this seed never changes.
    #[test]
    fn the_rate_is_kept() {
        let hits = dropped(&dice(7, "orders"), 0.3, 40_000).len();
        assert!(hits.abs_diff(12_000) < 550, "{hits}");
    }

    /// Pairs of neighbours, and of the same connection on neighbouring seeds, both hit with p² if they are independent:
    /// 40,000 pairs at p = 0.5 have mean 10,000 and standard deviation sqrt(40,000 * 0.25 * 0.75) = 86.6 (a little more
    /// for overlapping pairs: sqrt(5/3) times); seven of the latter are 783.
    #[test]
    fn neighbours_are_independent() {
        let (here, next_seed) = (dice(7, "orders"), dice(8, "orders"));
        let half = rate(0.5);
        let both = |hit: &dyn Fn(u64) -> bool| (1..=40_000).filter(|&n| here.drops(n, half) && hit(n)).count();
        let neighbours = both(&|n| here.drops(n + 1, half));
        let seeds = both(&|n| next_seed.drops(n, half));
        assert!(neighbours.abs_diff(10_000) < 783, "{neighbours}");
        assert!(seeds.abs_diff(10_000) < 783, "{seeds}");
    }

    proptest! {
        #[test]
        fn never_is_never_and_always_is_always(seed: u64, connection: u64) {
            prop_assert!(!dice(seed, "x").drops(connection, rate(0.0)));
            prop_assert!(dice(seed, "x").drops(connection, rate(1.0)));
        }

        #[test]
        fn a_higher_rate_drops_whatever_a_lower_one_did(seed: u64, connection: u64, a in 0.0..=1.0, b in 0.0..=1.0) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let dice = dice(seed, "x");
            prop_assert!(!dice.drops(connection, rate(low)) || dice.drops(connection, rate(high)));
        }
    }
}
