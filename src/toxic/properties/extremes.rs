//! The ends of every range: no panic, no overflow (tests check for it) and no loop that does not end.

use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use crate::plan::{CloseMode, Distribution, Effect, LimitTime, ResetPeer, Sharing, SlowClose, Stall, TimeoutToxic};
use crate::toxic::trial::{
    aimed, bandwidth, chain, corrupt, finish, latency, limit_data, loss, millis, ms, send, slicer, steady, stream,
    summaries, toxic,
};
use crate::toxic::{Moment, NEVER};

fn share() -> impl Strategy<Value = f64> {
    select(vec![0.0, f64::from_bits(1), f64::MIN_POSITIVE, 1e-17, 0.5, 1.0 - f64::EPSILON / 2.0, 1.0])
}

fn time() -> impl Strategy<Value = u32> {
    select(vec![0, 1, u32::MAX - 1, u32::MAX])
}

fn not_0() -> impl Strategy<Value = u32> {
    select(vec![1, u32::MAX - 1, u32::MAX])
}

fn close_mode() -> impl Strategy<Value = CloseMode> {
    select(vec![CloseMode::Close, CloseMode::Reset])
}

fn extreme() -> impl Strategy<Value = Effect> {
    let distribution = select(vec![Distribution::Uniform, Distribution::Normal, Distribution::Pareto]);
    let bytes = || select(vec![0, 1, u64::MAX - 1, u64::MAX]);
    prop_oneof![
        time().prop_map(steady),
        (not_0(), share(), distribution).prop_map(|(time, correlation, kind)| latency(time, time, correlation, kind)),
        Just(bandwidth(0, 0, Sharing::Own)),
        (not_0(), time()).prop_map(|(rate, burst)| bandwidth(rate, burst, Sharing::Own)),
        (share(), share()).prop_map(|(rate, correlation)| loss(rate, correlation)),
        share().prop_map(corrupt),
        (1_u32.., time()).prop_map(|(size, delay)| slicer(size, size - 1, delay)),
        (select(vec![1, u32::MAX]), time()).prop_map(|(size, delay)| slicer(size, 0, delay)),
        (bytes(), close_mode()).prop_map(|(bytes, close_mode)| limit_data(bytes, close_mode)),
        (time(), close_mode())
            .prop_map(|(time, close_mode)| Effect::LimitTime(LimitTime { time: millis(time), close_mode })),
        time().prop_map(|time| Effect::Timeout(TimeoutToxic { timeout: millis(time) })),
        time().prop_map(|time| Effect::Stall(Stall { duration: millis(time) })),
        time().prop_map(|time| Effect::SlowClose(SlowClose { delay: millis(time) })),
        time().prop_map(|time| Effect::ResetPeer(ResetPeer { timeout: millis(time) })),
    ]
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
    fn anything_goes(toxics in prop::collection::vec((extreme(), window()), 1..6), moments in moments()) {
        let placed = toxics.into_iter().enumerate().map(|(place, (effect, window))| aimed(window, toxic(place, effect)));
        let mut chain = chain(&placed.collect::<Vec<_>>());
        let end = moments[moments.len() - 1];
        let outcome = send(&mut chain, &stream(7 * 1500), moments.iter().map(|at| (1500, *at)));
        prop_assert!(outcome.leaves.is_sorted());
        prop_assert!(outcome.ended.is_some() || finish(&mut chain, end) >= end);
        chain.record_deadline(end);
        prop_assert!(chain.events().count() <= summaries(&chain).len() * 64);
    }
}
