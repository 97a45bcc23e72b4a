//! `after` and `for`: when a toxic acts, and that it leaves alone what comes outside of that.

use proptest::prelude::*;

use super::{any_effect, arrivals, cases, drawing};
use crate::plan::{Effect, Probability};
use crate::toxic::Moment;
use crate::toxic::trial::{chain, loss, millis, ms, send, stream, toxic, within};

/// A second for each chunk, which is longer than any delay drawn here: none is held up by the one before.
fn apart(lengths: &[usize]) -> Vec<(usize, Moment)> {
    (0..).zip(lengths).map(|(second, length)| (*length, ms(1000 * second))).collect()
}

/// Those that draw, each segment for itself, and hold nothing up beyond their window. A correlated segment is like the
/// last one that the toxic acted on.
fn short() -> impl Strategy<Value = Effect> {
    drawing().prop_filter("may delay for long", |effect| match effect {
        Effect::Latency(latency) => latency.mean() < ms(60) && latency.correlation() == Probability::default(),
        Effect::Slicer(slicer) => slicer.delay.duration().is_zero(),
        Effect::PacketLoss(_) => false,
        _ => true,
    })
}

proptest! {
    #![proptest_config(cases(100))]

    /// Whatever it does in its window; but what it holds then holds up what comes later.
    #[test]
    fn bytes_that_come_outside_a_window_are_left_alone(
        effect in any_effect().prop_filter("does nothing", |effect| *effect != Effect::Noop),
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

    /// A byte's luck is that of its offset: in its window a toxic does to it what it does without one.
    #[test]
    fn a_window_does_not_move_what_is_drawn(
        effect in short(),
        lengths in prop::collection::vec(1..4000_usize, 1..12),
        after in 0..8000_u32,
        lasts in 1..8000_u32,
    ) {
        let always = toxic(0, effect);
        let sometimes = within(after..after + lasts, always.clone());
        let window = sometimes.selector.window;
        let (mut always, mut sometimes) = (chain(&[always]), chain(&[sometimes]));
        for (length, now) in apart(&lengths) {
            let one = send(&mut always, &stream(length), [(length, now)]);
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
