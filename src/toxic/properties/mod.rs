//! What holds for toxics of every kind and for chains of them, whatever is drawn. What holds for one kind only is at the
//! end of its file.

mod chains;
mod chunks;
mod exchange;
mod extremes;
mod windows;

use proptest::prelude::*;
use proptest::sample::select;

use super::Moment;
use super::trial::{aimed, bandwidth, corrupt, latency, limit_data, loss, millis, ms, share_of, slicer, steady, toxic};
use crate::plan::{
    CloseMode, Distribution, Effect, LimitTime, ResetPeer, Sharing, SlowClose, Stall, TimeoutToxic, Toxic,
};

/// No files of found failures: a failure that shrinks to something telling becomes a test by name.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Toxics that draw.
fn drawing() -> impl Strategy<Value = Effect> {
    let distribution = select(vec![Distribution::Uniform, Distribution::Normal, Distribution::Pareto]);
    prop_oneof![
        (1..500_u32, rate(), rate(), distribution).prop_map(|(mean, jitter, correlation, kind)| latency(
            mean,
            share_of(mean, jitter).max(1),
            correlation,
            kind
        )),
        (rate(), rate()).prop_map(|(rate, correlation)| loss(rate, correlation)),
        rate().prop_map(corrupt),
        slices(),
    ]
}

/// Toxics that neither change nor discard bytes, nor end the connection.
fn harmless() -> impl Strategy<Value = Effect> {
    let keeps = drawing().prop_filter("changes bytes", |effect| !matches!(effect, Effect::Corrupt(_)));
    let duration = || prop_oneof![1 => Just(0), 5 => 0..2000_u32].prop_map(millis);
    prop_oneof![
        4 => keeps,
        1 => (0..500_u32).prop_map(steady),
        2 => prop_oneof![1 => Just((0, 0)), 9 => (1..10_000_u32, 0..10_000_u32)]
            .prop_map(|(rate, burst)| bandwidth(rate, burst, Sharing::Own)),
        1 => duration().prop_map(|duration| Effect::Stall(Stall { duration })),
        1 => duration().prop_map(|delay| Effect::SlowClose(SlowClose { delay })),
        1 => Just(Effect::Noop),
    ]
}

/// Every kind.
fn any_effect() -> impl Strategy<Value = Effect> {
    let close_mode = || select(vec![CloseMode::Close, CloseMode::Reset]);
    let time = || prop_oneof![Just(0), 1..2000_u32, Just(u32::MAX)].prop_map(millis);
    prop_oneof![
        6 => harmless(),
        1 => rate().prop_map(corrupt),
        2 => (prop_oneof![0..20_000_u64, Just(u64::MAX)], close_mode())
            .prop_map(|(bytes, close_mode)| limit_data(bytes, close_mode)),
        1 => (time(), close_mode()).prop_map(|(time, close_mode)| Effect::LimitTime(LimitTime { time, close_mode })),
        1 => time().prop_map(|timeout| Effect::Timeout(TimeoutToxic { timeout })),
        1 => time().prop_map(|timeout| Effect::ResetPeer(ResetPeer { timeout })),
    ]
}

/// Leaves out what may depend on chunks: a bandwidth lets what came together leave together.
fn drawn_or_counted() -> impl Strategy<Value = Effect> {
    any_effect().prop_filter("paces", |effect| !matches!(effect, Effect::Bandwidth(_) | Effect::Noop))
}

fn slices() -> impl Strategy<Value = Effect> {
    let delay = prop_oneof![Just(0), 1..5000_u32];
    (1..3000_u32, rate(), delay).prop_map(|(size, variation, delay)| slicer(size, share_of(size - 1, variation), delay))
}

/// Any share, with those at the ends and small ones more often than by chance.
fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 2 => 0.0..0.001, 4 => 0.0..=1.0]
}

/// Toxics of these effects, in this order, each at any time or in a window of the first seconds.
fn toxics(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Vec<Toxic>> {
    let window = || prop_oneof![3 => Just(None), 1 => (0..1500_u32, 1..1500_u32).prop_map(Some)];
    prop::collection::vec((effect, window()), 1..6).prop_map(|effects| {
        let placed = effects.into_iter().enumerate();
        placed.map(|(place, (effect, window))| aimed(window, toxic(place, effect))).collect()
    })
}

/// Chunks of many lengths, each some time after the last one.
fn arrivals() -> impl Strategy<Value = Vec<(usize, Moment)>> {
    let length = prop_oneof![Just(1), Just(1460), 1..4000_usize];
    prop::collection::vec((length, prop_oneof![2 => Just(0), 1 => 0..800_u64]), 1..30).prop_map(|chunks| {
        let mut now = Moment::ZERO;
        chunks
            .into_iter()
            .map(|(length, pause)| {
                now += ms(pause);
                (length, now)
            })
            .collect()
    })
}
