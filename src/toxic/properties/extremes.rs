//! The ends of every range cause no panic, no overflow (checked in debug builds) and no endless loop.

use proptest::prelude::*;
use proptest::sample::select;

use super::{cases, choice, effect_of};
use crate::toxic::trial::{chain, finish, ms, send, stream, summaries, toxic, with_window};
use crate::toxic::{Effect, Moment, NEVER, TAKEN_AT_ONCE};
use crate::value::{Kind, Scalar};

fn extreme() -> impl Strategy<Value = Effect> {
    effect_of(
        |_| true,
        |kind| match kind {
            Kind::Whole(range) => {
                let ends = vec![range.least, range.least + 1, range.most - 1, range.most];
                select(ends).prop_map(|number| Scalar::Whole(number.into())).boxed()
            }
            Kind::Share => {
                let shares = vec![0.0, f64::from_bits(1), f64::MIN_POSITIVE, 1e-17, 0.5, 1.0 - f64::EPSILON / 2.0, 1.0];
                select(shares).prop_map(Scalar::Real).boxed()
            }
            other => choice(other),
        },
    )
}

fn time() -> impl Strategy<Value = u32> {
    select(vec![0, 1, u32::MAX - 1, u32::MAX])
}

fn window() -> impl Strategy<Value = Option<(u32, u32)>> {
    prop_oneof![3 => Just(None), 1 => (time(), select(vec![1, u32::MAX])).prop_map(Some)]
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let last = NEVER.saturating_sub(Moment::from_nanos(1));
    let moments = vec![ms(0), ms(1), ms(u32::MAX.into()), ms(1 << 33), ms(u64::MAX), last, NEVER];
    prop::sample::subsequence(moments, 1..=7)
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn extreme_values_keep_the_order(toxics in prop::collection::vec((extreme(), window()), 1..6), moments in moments()) {
        let placed = toxics.into_iter().enumerate().map(|(place, (effect, window))| with_window(window, toxic(place, effect)));
        let mut chain = chain(&placed.collect::<Vec<_>>());
        let end = moments[moments.len() - 1];
        // The buffer for a read has this size.
        prop_assert!(moments.iter().all(|now| chain.read_limit(*now) <= TAKEN_AT_ONCE));
        let outcome = send(&mut chain, &stream(7 * 1500), moments.iter().map(|at| (1500, *at)));
        prop_assert!(outcome.due.is_sorted());
        prop_assert!(outcome.ended.is_some() || finish(&mut chain, end) >= end);
        chain.record_deadline(end);
        prop_assert!(chain.events().count() <= summaries(&chain).len() * 64);
    }
}
