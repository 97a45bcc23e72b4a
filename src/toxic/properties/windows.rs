//! `after` and `for`: a toxic acts in its window, and leaves bytes outside of it unchanged.

use proptest::prelude::*;

use super::{any_effect, arrivals, cases, effect_of, usual};
use crate::toxic::trial::{chain, loss, millis, ms, send, stream, toxic, within};
use crate::toxic::{Basis, Effect, Moment, ToxicType, Treatment};
use crate::value::Scalar;

/// Ten seconds for each chunk, which is longer than most delays drawn here.
const PAUSE: Moment = ms(10_000);

fn apart(lengths: &[usize]) -> Vec<(usize, Moment)> {
    (0..).zip(lengths).map(|(chunk, length)| (*length, PAUSE * chunk)).collect()
}

/// Toxics that draw for each segment alone, and pass every byte. A correlated segment is like the last one that the toxic
/// acted on. What a loss does depends on the end of the window, see below.
fn passing() -> impl Strategy<Value = Effect> {
    let wanted =
        |it: &ToxicType| it.basis == Basis::Offset && it.treatment != Treatment::Ends && it.name != "packet_loss";
    let is_correlated =
        |effect: &Effect| effect.attributes().any(|(name, value)| name == "correlation" && value != Scalar::Real(0.0));
    effect_of(wanted, usual).prop_filter("correlates segments", move |effect| !is_correlated(effect))
}

proptest! {
    #![proptest_config(cases(100))]

    /// Except that bytes which it holds delay later ones.
    #[test]
    fn bytes_that_come_outside_a_window_are_left_alone(
        effect in any_effect(),
        arrivals in arrivals(),
        after in 0..5000_u32,
        lasts in 1..3000_u32,
    ) {
        let toxic = within(after..after + lasts, toxic(0, effect));
        let (window, mut chain) = (toxic.selector.window, chain(&[toxic]));
        let mut last = Moment::ZERO;
        for (length, now) in arrivals {
            let outcome = send(&mut chain, &stream(length), [(length, now)]);
            if outcome.ended.is_some() {
                break;
            }
            if !window.contains(now) {
                let at = now.max(last);
                prop_assert_eq!((outcome.bytes, outcome.cuts, outcome.acts), (stream(length), vec![], vec![]));
                prop_assert!(outcome.leaves.iter().all(|leaves| *leaves == at));
            }
            last = outcome.leaves.last().map_or(last, |leaves| last.max(*leaves));
        }
    }

    /// Draws belong to offsets: in its window a toxic does the same as without a window.
    #[test]
    fn a_window_does_not_move_what_is_drawn(
        effect in passing(),
        lengths in prop::collection::vec(1..4000_usize, 1..12),
        after in 0..80_000_u32,
        lasts in 1..80_000_u32,
    ) {
        let always = toxic(0, effect);
        let sometimes = within(after..after + lasts, always.clone());
        let window = sometimes.selector.window;
        let (mut always, mut sometimes) = (chain(&[always]), chain(&[sometimes]));
        for (length, now) in apart(&lengths) {
            let one = send(&mut always, &stream(length), [(length, now)]);
            // No chunk is delayed by the one before.
            prop_assume!(one.leaves.last().is_some_and(|last| *last < now + PAUSE));
            let other = send(&mut sometimes, &stream(length), [(length, now)]);
            if window.contains(now) {
                prop_assert_eq!((one.bytes, one.leaves, one.cuts), (other.bytes, other.leaves, other.cuts));
            }
        }
    }

    /// The same for losses, which may last for minutes: each segment comes an hour after the one before. At these rates
    /// one that never comes would take 15 losses in a row.
    #[test]
    fn a_window_does_not_move_losses(rate in 0.0..0.3, after in 0..40_u32, lasts in 1..40_u32) {
        const HOUR: u32 = 3_600_000;
        let always = toxic(0, loss(rate, 0.0));
        let sometimes = within(after * HOUR..(after + lasts) * HOUR, always.clone());
        let (mut always, mut sometimes) = (chain(&[always]), chain(&[sometimes]));
        for hour in 0..80 {
            let now = millis(hour * HOUR).duration();
            let leaves = [&mut always, &mut sometimes].map(|chain| send(chain, &stream(1448), [(1448, now)]).leaves[0]);
            let acts = (after..after + lasts).contains(&hour);
            prop_assert_eq!(leaves[1], if acts { leaves[0] } else { now });
        }
    }
}
