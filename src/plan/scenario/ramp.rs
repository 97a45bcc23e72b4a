//! How numbers move: in equal parts of the time, each to the number that lies as far between the first and the last.

use std::time::Duration;

use crate::value::Scalar;

/// The longest time between two moves. People see a curve in a plot, and a client sees no jump.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A part of the way from one value to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    pub part: u64,
    pub of: u64,
}

/// Moves at equal distances of time, the last one at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moves {
    pub lasts: Duration,
    count: u64,
}

impl Moves {
    /// The fewest moves in this time, at most [`LONGEST_PAUSE`] apart, for numbers of which none takes more than this
    /// many different values on its way.
    pub fn new(lasts: Duration, values: u64) -> Self {
        let pauses = u64::try_from(lasts.as_nanos().div_ceil(LONGEST_PAUSE.as_nanos())).unwrap_or(u64::MAX);
        Self { lasts, count: pauses.min(values).max(1) }
    }

    /// The share of the way that numbers have moved after this time.
    pub fn fraction_after(self, elapsed: Duration) -> Fraction {
        let (elapsed, lasts, count) = (elapsed.as_nanos(), self.lasts.as_nanos(), u128::from(self.count));
        let part = if elapsed >= lasts { count } else { elapsed * count / lasts };
        // It is at most `count`, which has 64 bits.
        Fraction { part: u64::try_from(part).unwrap_or(self.count), of: self.count }
    }

    /// When the move of that number is due, counted from 1.
    pub fn due(self, number: u64) -> Duration {
        let due = (self.lasts.as_nanos() * u128::from(number)).div_ceil(u128::from(self.count));
        // It is not after the end, which is at most 49 days away: 2^52 ns.
        Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX)).min(self.lasts)
    }
}

/// The number of different values on the way from one number to another, the first one not counted. Of other scalars,
/// there are none.
pub fn values_between(from: &Scalar, to: &Scalar) -> u64 {
    match (from, to) {
        (Scalar::Whole(from), Scalar::Whole(to)) => u64::try_from(from.abs_diff(*to)).unwrap_or(u64::MAX),
        (Scalar::Real(from), Scalar::Real(to)) if from.total_cmp(to).is_ne() => u64::MAX,
        _ => 0,
    }
}

/// The number that lies this far on the way, rounded if it is a whole one. Other scalars do not move, and are the last
/// value at once.
#[expect(clippy::cast_precision_loss, reason = "a ramp has less than 2^53 moves")]
pub fn between(from: &Scalar, to: &Scalar, Fraction { part, of }: Fraction) -> Scalar {
    match (from, to) {
        _ if part >= of => to.clone(),
        (Scalar::Whole(from), Scalar::Whole(to)) => {
            let (part, of) = (i128::from(part), i128::from(of));
            // Half of the divisor is added, so that it rounds to the nearest number.
            Scalar::Whole(from + (2 * (to - from) * part + of).div_euclid(2 * of))
        }
        (Scalar::Real(from), Scalar::Real(to)) => Scalar::Real(from + (to - from) * (part as f64 / of as f64)),
        _ => to.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moves_are_even_and_end_in_time(millis in 1_u64..=4_294_967_295, values in 0_u64..5000) {
            let lasts = Duration::from_millis(millis);
            let moves = Moves::new(lasts, values);
            prop_assert_eq!(moves.due(moves.count), lasts);
            prop_assert!(moves.count <= values.max(1));
            let needed = values >= millis.div_ceil(100);
            for number in 1..=moves.count.min(100) {
                let (due, before) = (moves.due(number), moves.due(number - 1));
                prop_assert!(due > before);
                prop_assert!(!needed || due.saturating_sub(before) <= LONGEST_PAUSE);
                prop_assert_eq!(moves.fraction_after(due).part, number);
                prop_assert_eq!(moves.fraction_after(due.saturating_sub(Duration::from_nanos(1))).part, number - 1);
            }
        }

        #[test]
        fn whole_numbers_move_steadily_to_the_last_one(from: u32, to: u32, of in 1_u64..1000) {
            let scalars = [from, to].map(|number| Scalar::Whole(number.into()));
            let at = |part| match between(&scalars[0], &scalars[1], Fraction { part, of }) {
                Scalar::Whole(number) => number,
                other => unreachable!("{other:?}"),
            };
            let way: Vec<i128> = (0..=of).map(at).collect();
            prop_assert_eq!((way[0], way.last().copied()), (from.into(), Some(to.into())));
            let is_steady = if from <= to { way.is_sorted() } else { way.iter().rev().is_sorted() };
            prop_assert!(is_steady);
        }

        #[test]
        fn shares_stay_between_both_ends(from in 0.0..=1.0_f64, to in 0.0..=1.0_f64, of in 1_u64..1000, part in 0_u64..1000) {
            let Scalar::Real(share) = between(&Scalar::Real(from), &Scalar::Real(to), Fraction { part, of }) else {
                unreachable!("it was real");
            };
            prop_assert!((from.min(to)..=from.max(to)).contains(&share));
        }
    }

    #[test]
    fn a_number_that_takes_few_values_moves_once_for_each() {
        let moves = Moves::new(Duration::from_secs(30), values_between(&Scalar::Whole(5), &Scalar::Whole(2)));
        assert_eq!([1, 2, 3].map(|number| moves.due(number).as_secs()), [10, 20, 30]);
        assert_eq!(Moves::new(Duration::from_secs(30), 0).due(1), Duration::from_secs(30));
    }
}
