//! `after` and `for`: a toxic acts in its window, and bytes outside of it pass unchanged.

use proptest::prelude::*;

use super::{any_effect, arrivals, cases, effect_of, usual};
use crate::toxic::trial::{chain, loss, millis, ms, send, stream, toxic, within};
use crate::toxic::{Basis, Effect, Moment, ToxicType, Treatment};
use crate::value::Scalar;

/// The time between chunks: longer than most delays drawn here.
const PAUSE: Moment = ms(10_000);

fn apart(lengths: &[usize]) -> Vec<(usize, Moment)> {
    (0..).zip(lengths).map(|(chunk, length)| (*length, PAUSE * chunk)).collect()
}

/// Toxics that pass every byte and draw for each segment independently. A correlated segment depends on the last one
/// that the toxic acted on, and a lost one on the end of the window (see below).
fn independent() -> impl Strategy<Value = Effect> {
    let wanted =
        |it: &ToxicType| it.basis == Basis::Offset && it.treatment != Treatment::Ends && it.name != "packet_loss";
    let is_correlated =
        |effect: &Effect| effect.attributes().any(|(name, value)| name == "correlation" && value != Scalar::Real(0.0));
    effect_of(wanted, usual).prop_filter("correlates segments", move |effect| !is_correlated(effect))
}

proptest! {
    #![proptest_config(cases(100))]

    /// Held bytes may still delay later ones, which keep the order.
    #[test]
    fn bytes_outside_the_window_pass_unchanged(
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
                prop_assert_eq!((outcome.bytes, outcome.cuts, outcome.events), (stream(length), vec![], vec![]));
                prop_assert!(outcome.due.iter().all(|due| *due == at));
            }
            last = outcome.due.last().map_or(last, |due| last.max(*due));
        }
    }

    /// Draws depend on offsets: within its window a toxic does the same as without a window.
    #[test]
    fn a_window_does_not_shift_draws(
        effect in independent(),
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
            // The chunk is sent before the next one arrives.
            prop_assume!(one.due.last().is_some_and(|last| *last < now + PAUSE));
            let other = send(&mut sometimes, &stream(length), [(length, now)]);
            if window.contains(now) {
                prop_assert_eq!((one.bytes, one.due, one.cuts), (other.bytes, other.due, other.cuts));
            }
        }
    }

    /// The same for losses, which may last for minutes: segments are an hour apart. At these rates, a longer delay
    /// would take 15 losses in a row.
    #[test]
    fn a_window_does_not_shift_losses(rate in 0.0..0.3, after in 0..40_u32, lasts in 1..40_u32) {
        const HOUR: u32 = 3_600_000;
        let always = toxic(0, loss(rate, 0.0));
        let sometimes = within(after * HOUR..(after + lasts) * HOUR, always.clone());
        let (mut always, mut sometimes) = (chain(&[always]), chain(&[sometimes]));
        for hour in 0..80 {
            let now = millis(hour * HOUR).duration();
            let due = [&mut always, &mut sometimes].map(|chain| send(chain, &stream(1448), [(1448, now)]).due[0]);
            let acts = (after..after + lasts).contains(&hour);
            prop_assert_eq!(due[1], if acts { due[0] } else { now });
        }
    }
}
