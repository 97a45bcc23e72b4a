//! Chains keep the order of bytes, lose none that no toxic discards, and apply their toxics in order.

use proptest::prelude::*;
use proptest::sample::select;

use super::{any_effect, arrivals, cases, effect_of, keeping, toxics, usual};
use crate::toxic::trial::{
    Outcome, bandwidth, chain, chain_of, chunks, corrupt, finish, latency, limit_data, millis, ms, send, slicer,
    steady, stream, summaries, toxic, within,
};
use crate::toxic::{
    Boundary, Distribution, Effect, Moment, NEVER, ResetPeer, Sharing, SlowClose, Stall, TimeoutToxic, Treatment,
};
use crate::value::CloseMode;

proptest! {
    #![proptest_config(cases(200))]

    /// Checks the declaration `Treatment::Keeps`.
    #[test]
    fn keeping_toxics_only_delay_bytes(toxics in toxics(keeping()), arrivals in arrivals(), pause in 0..3000_u64) {
        let sent = stream(arrivals.iter().map(|(length, _)| length).sum());
        let arrived: Vec<Moment> = arrivals.iter().flat_map(|&(length, at)| vec![at; length]).collect();
        let (mut chain, end) = (chain(&toxics), arrived[arrived.len() - 1] + ms(pause));
        let mut outcome = send(&mut chain, &sent, arrivals);
        let finish = finish(&mut chain, end);
        // The bytes that a trigger has held back until the end.
        outcome.take_due(&mut chain, NEVER);
        prop_assert!(outcome.due.is_sorted());
        prop_assert!(outcome.due.iter().zip(&arrived).all(|(due, arrival)| due >= arrival));
        prop_assert!(finish >= end && Some(&finish) >= outcome.due.last());
        prop_assert_eq!((outcome.bytes, outcome.ended), (sent, None));
        prop_assert_eq!(chain.deadline(), None);
    }

    /// The config check relies on `due`: it compares that time with the end of `for`.
    #[test]
    fn the_deadline_is_the_declared_time(effect in any_effect()) {
        let due = effect.due().map(|(_, after)| after.duration());
        prop_assert_eq!(chain_of([effect]).deadline().map(|(at, _)| at), due);
    }

    /// Checks the declaration `Treatment::Changes`.
    #[test]
    fn changing_toxics_keep_the_number_of_bytes(effect in effect_of(|it| it.treatment == Treatment::Changes, usual)) {
        let outcome = send(&mut chain_of([effect]), &stream(9000), [(9000, ms(0))]);
        prop_assert_eq!((outcome.bytes.len(), outcome.ended), (9000, None));
    }

    #[test]
    fn each_toxic_of_a_chain_has_its_effect(
        effects in Just([
            latency(200, 50, 0.3, Distribution::Normal),
            bandwidth(100, 0, Sharing::Own),
            slicer(700, 600, 300),
            corrupt(0.01),
        ]).prop_shuffle(),
        length in 1..20_000_usize,
    ) {
        let sent = stream(length);
        let toxics = effects.map(|effect| toxic(0, effect));
        let together = send(&mut chain(&toxics), &sent, [(length, ms(0))]);
        for toxic in toxics {
            let alone = send(&mut chain(std::slice::from_ref(&toxic)), &sent, [(length, ms(0))]);
            prop_assert!(alone.cuts.iter().all(|cut| together.cuts.contains(cut)));
            match toxic.effect {
                Effect::Corrupt(_) => prop_assert_eq!(&alone.bytes, &together.bytes),
                // At 100 KB/s a byte takes 10 µs, and byte n is due after n + 1 of them.
                Effect::Bandwidth(_) => prop_assert!(
                    together.due.iter().zip(1..).all(|(due, bytes)| due.as_micros() >= 10 * bytes)
                ),
                _ => prop_assert!(together.due.iter().zip(&alone.due).all(|(both, alone)| both >= alone)),
            }
        }
    }

    #[test]
    fn two_latencies_add_up(first in 0..5000_u32, second in 0..5000_u32, arrivals in arrivals()) {
        let sent = stream(arrivals.iter().map(|(length, _)| length).sum());
        let two = send(&mut chain_of([steady(first), steady(second)]), &sent, arrivals.clone());
        let one = send(&mut chain_of([steady(first + second)]), &sent, arrivals);
        prop_assert_eq!(two.due, one.due);
    }

    #[test]
    fn a_limit_passes_exactly_its_bytes(limit in 0..6000_u64, around in select(vec![-1, 0, 1]), arrivals in arrivals()) {
        let length: usize = arrivals.iter().map(|(length, _)| length).sum();
        let sent = stream(length);
        // Limits at any offset, and at or next to the ends of the first chunk and of the stream.
        let beside = [arrivals[0].0, length].map(|border| (border as u64).saturating_add_signed(around));
        for limit in [limit, beside[0], beside[1]] {
            let outcome = send(&mut chain_of([limit_data(limit, CloseMode::Reset)]), &sent, arrivals.clone());
            let passed = usize::try_from(limit).expect("small").min(length);
            prop_assert_eq!(&outcome.bytes, &sent[..passed]);
            prop_assert_eq!(outcome.ended.is_some(), limit <= length as u64);
            let arrival = arrivals.iter().scan(0, |sum, (length, at)| { *sum += length; Some((*sum, *at)) });
            let at = arrival.filter(|(sum, _)| *sum >= passed).map(|(_, at)| at).next();
            prop_assert_eq!(outcome.ended.map(|(at, _)| at), at.filter(|_| limit <= length as u64));
        }
    }
}

fn at_once<const N: usize>(effects: [Effect; N], length: usize) -> Outcome {
    send(&mut chain_of(effects), &stream(length), [(length, ms(0))])
}

fn discarding() -> Effect {
    Effect::TimeoutToxic(TimeoutToxic { timeout: millis(0) })
}

/// The end that a limit creates passes the toxics after the limit, but not those before.
#[test]
fn toxics_act_in_the_order_of_the_list() {
    let (limit, slowly) = (limit_data(5, CloseMode::Close), Effect::SlowClose(SlowClose { delay: millis(70) }));
    let end = |at| Some((at, CloseMode::Close));
    assert_eq!(at_once([limit.clone(), slowly.clone()], 9).ended, end(ms(70)));
    assert_eq!(at_once([slowly, limit.clone()], 9).ended, end(ms(0)));
    assert_eq!(at_once([limit.clone(), discarding()], 9).ended, end(NEVER));
    assert_eq!(at_once([discarding(), limit.clone()], 9).ended, None);
    assert_eq!(at_once([steady(30), limit.clone()], 9).ended, end(ms(30)));
    assert_eq!(at_once([limit.clone(), steady(30)], 9).ended, end(ms(30)));
    let stall = Effect::Stall(Stall { duration: millis(40) });
    assert_eq!(at_once([limit, stall], 9).ended, end(ms(40)));
}

/// A toxic acts on bytes that reach it within its window, whenever the proxy received them.
#[test]
fn a_window_applies_to_the_arrival_at_the_toxic() {
    let late = within(50..150, toxic(1, corrupt(1.0)));
    let sent = stream(100);
    let before = send(&mut chain(&[late.clone(), toxic(0, steady(100))]), &sent, [(100, ms(0))]);
    let behind = send(&mut chain(&[toxic(0, steady(100)), late]), &sent, [(100, ms(0))]);
    assert_eq!(before.bytes, sent);
    assert!(behind.bytes.iter().zip(&sent).all(|(flipped, sent)| flipped != sent));
}

/// The stream ends at the lower limit in either order, even if one chunk exceeds both.
#[test]
fn the_lower_of_two_limits_ends_the_stream() {
    let (near, far) = (limit_data(5, CloseMode::Reset), limit_data(8, CloseMode::Close));
    for length in [1, 9] {
        for effects in [[near.clone(), far.clone()], [far.clone(), near.clone()]] {
            let outcome = send(&mut chain_of(effects), &stream(9), chunks(length, ms(3)));
            assert_eq!((outcome.bytes.len(), outcome.ended), (5, Some((ms(3), CloseMode::Reset))), "{length}");
        }
    }
}

/// The stream stays ended after the window of the toxic that ended it.
#[test]
fn no_byte_passes_after_the_end() {
    let limit = within(0..100, toxic(0, limit_data(5, CloseMode::Close)));
    let mut chain = chain(&[limit, toxic(1, Effect::SlowClose(SlowClose { delay: millis(70) }))]);
    let outcome = send(&mut chain, &stream(18), [(9, ms(0)), (9, ms(200))]);
    assert_eq!((outcome.bytes.len(), outcome.ended), (5, Some((ms(70), CloseMode::Close))));
}

#[test]
fn an_empty_chunk_does_nothing() {
    let mut chain = chain_of([limit_data(0, CloseMode::Close), discarding(), slicer(1, 0, 0)]);
    chain.push(ms(0), Boundary::None, &[]);
    chain.advance(NEVER);
    assert_eq!((chain.holds_any(), summaries(&chain).len()), (false, 0));
}

/// All deadlines have passed when the thread wakes up late, but only the first one ended the connection.
#[test]
fn only_the_first_deadline_acts() {
    let reset = |after| Effect::ResetPeer(ResetPeer { timeout: millis(after) });
    let mut chain = chain_of([reset(20), reset(10), reset(10)]);
    assert_eq!(chain.deadline(), Some((ms(10), CloseMode::Reset)));
    chain.record_deadline(ms(9));
    assert_eq!(summaries(&chain).len(), 0);
    chain.record_deadline(ms(25));
    let events: Vec<_> = chain.events().map(|event| event.toxic.name.to_string()).collect();
    assert_eq!(events, ["reset_peer_1"]);
}
