//! What a chain does: it keeps the order, loses nothing that no toxic takes, and each toxic has its effect in its place.

use proptest::prelude::*;
use proptest::sample::select;

use super::{arrivals, cases, harmless, toxics};
use crate::plan::{CloseMode, Distribution, Effect, ResetPeer, Sharing, SlowClose, Stall, TimeoutToxic};
use crate::toxic::trial::{
    Outcome, bandwidth, chain, chain_of, chunks, corrupt, finish, latency, limit_data, millis, ms, send, slicer,
    steady, stream, summaries, toxic, within,
};
use crate::toxic::{Boundary, Moment, NEVER};

proptest! {
    #![proptest_config(cases(200))]

    /// Without `corrupt`, `limit_data`, `limit_time`, `timeout` and `reset_peer`, that is.
    #[test]
    fn a_harmless_chain_only_delays(toxics in toxics(harmless()), arrivals in arrivals(), pause in 0..3000_u64) {
        prop_assume!(toxics.iter().any(|toxic| toxic.effect != Effect::Noop));
        let sent = stream(arrivals.iter().map(|(length, _)| length).sum());
        let came: Vec<Moment> = arrivals.iter().flat_map(|&(length, at)| vec![at; length]).collect();
        let (mut chain, end) = (chain(&toxics), came[came.len() - 1] + ms(pause));
        let outcome = send(&mut chain, &sent, arrivals);
        prop_assert!(outcome.leaves.is_sorted());
        prop_assert!(outcome.leaves.iter().zip(&came).all(|(leaves, came)| leaves >= came));
        let finish = finish(&mut chain, end);
        prop_assert!(finish >= end && Some(&finish) >= outcome.leaves.last());
        prop_assert_eq!((outcome.bytes, outcome.ended), (sent, None));
        prop_assert_eq!(chain.deadline(), None);
    }

    #[test]
    fn toxics_at_once_have_each_its_effect(
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
                // Byte n can't leave before n + 1 bytes have had their time; 100 KB/s are 10 µs a byte.
                Effect::Bandwidth(_) => prop_assert!(
                    together.leaves.iter().zip(1..).all(|(leaves, bytes)| leaves.as_micros() >= 10 * bytes)
                ),
                _ => prop_assert!(together.leaves.iter().zip(&alone.leaves).all(|(both, alone)| both >= alone)),
            }
        }
    }

    #[test]
    fn two_latencies_add_up(first in 0..5000_u32, second in 0..5000_u32, arrivals in arrivals()) {
        let sent = stream(arrivals.iter().map(|(length, _)| length).sum());
        let two = send(&mut chain_of([steady(first), steady(second)]), &sent, arrivals.clone());
        let one = send(&mut chain_of([steady(first + second)]), &sent, arrivals);
        prop_assert_eq!(two.leaves, one.leaves);
    }

    #[test]
    fn a_limit_passes_exactly_its_bytes(limit in 0..6000_u64, around in select(vec![-1, 0, 1]), arrivals in arrivals()) {
        let length: usize = arrivals.iter().map(|(length, _)| length).sum();
        let sent = stream(length);
        // Anywhere, and on or beside the ends of the first chunk and of all of them.
        let beside = [arrivals[0].0, length].map(|border| (border as u64).saturating_add_signed(around));
        for limit in [limit, beside[0], beside[1]] {
            let outcome = send(&mut chain_of([limit_data(limit, CloseMode::Reset)]), &sent, arrivals.clone());
            let passed = usize::try_from(limit).expect("small").min(length);
            prop_assert_eq!(&outcome.bytes, &sent[..passed]);
            prop_assert_eq!(outcome.ended.is_some(), limit <= length as u64);
            let came = arrivals.iter().scan(0, |sum, (length, at)| { *sum += length; Some((*sum, *at)) });
            let at = came.filter(|(sum, _)| *sum >= passed).map(|(_, at)| at).next();
            prop_assert_eq!(outcome.ended.map(|(at, _)| at), at.filter(|_| limit <= length as u64));
        }
    }
}

fn at_once<const N: usize>(effects: [Effect; N], length: usize) -> Outcome {
    send(&mut chain_of(effects), &stream(length), [(length, ms(0))])
}

fn black_hole() -> Effect {
    Effect::Timeout(TimeoutToxic { timeout: millis(0) })
}

/// The end that a limit makes goes through the toxics behind it, and not through those ahead.
#[test]
fn the_order_of_toxics_is_that_of_the_list() {
    let (limit, slowly) = (limit_data(5, CloseMode::Close), Effect::SlowClose(SlowClose { delay: millis(70) }));
    let end = |at| Some((at, CloseMode::Close));
    assert_eq!(at_once([limit.clone(), slowly.clone()], 9).ended, end(ms(70)));
    assert_eq!(at_once([slowly, limit.clone()], 9).ended, end(ms(0)));
    assert_eq!(at_once([limit.clone(), black_hole()], 9).ended, end(NEVER));
    assert_eq!(at_once([black_hole(), limit.clone()], 9).ended, None);
    assert_eq!(at_once([steady(30), limit.clone()], 9).ended, end(ms(30)));
    assert_eq!(at_once([limit.clone(), steady(30)], 9).ended, end(ms(30)));
    let stall = Effect::Stall(Stall { duration: millis(40) });
    assert_eq!(at_once([limit, stall], 9).ended, end(ms(40)));
}

/// A toxic acts on what is at its place in its time.
#[test]
fn a_window_is_about_when_bytes_come_to_the_toxic() {
    let late = within(50..150, toxic(1, corrupt(1.0)));
    let sent = stream(100);
    let before = send(&mut chain(&[late.clone(), toxic(0, steady(100))]), &sent, [(100, ms(0))]);
    let behind = send(&mut chain(&[toxic(0, steady(100)), late]), &sent, [(100, ms(0))]);
    assert_eq!(before.bytes, sent);
    assert!(behind.bytes.iter().zip(&sent).all(|(flipped, sent)| flipped != sent));
}

/// The stream ends where the first limit is, whichever of the two is ahead, and whether both are in one chunk.
#[test]
fn the_nearer_of_two_limits_ends_the_stream_its_own_way() {
    let (near, far) = (limit_data(5, CloseMode::Reset), limit_data(8, CloseMode::Close));
    for length in [1, 9] {
        for effects in [[near.clone(), far.clone()], [far.clone(), near.clone()]] {
            let outcome = send(&mut chain_of(effects), &stream(9), chunks(length, ms(3)));
            assert_eq!((outcome.bytes.len(), outcome.ended), (5, Some((ms(3), CloseMode::Reset))), "{length}");
        }
    }
}

/// The toxic that has ended the stream may act no more by then; the stream stays ended.
#[test]
fn nothing_leaves_behind_the_end() {
    let limit = within(0..100, toxic(0, limit_data(5, CloseMode::Close)));
    let mut chain = chain(&[limit, toxic(1, Effect::SlowClose(SlowClose { delay: millis(70) }))]);
    let outcome = send(&mut chain, &stream(18), [(9, ms(0)), (9, ms(200))]);
    assert_eq!((outcome.bytes.len(), outcome.ended), (5, Some((ms(70), CloseMode::Close))));
}

#[test]
fn a_chunk_without_bytes_is_nothing() {
    let mut chain = chain_of([limit_data(0, CloseMode::Close), black_hole(), slicer(1, 0, 0)]);
    chain.push(ms(0), Boundary::None, &[]);
    chain.advance(NEVER);
    assert_eq!((chain.holds_any(), summaries(&chain).len()), (false, 0));
}

/// Both are due as the thread wakes up late; the first one has ended the connection.
#[test]
fn the_first_deadline_strikes_and_no_other() {
    let reset = |after| Effect::ResetPeer(ResetPeer { timeout: millis(after) });
    let mut chain = chain_of([reset(20), reset(10), reset(10)]);
    assert_eq!(chain.deadline(), Some((ms(10), CloseMode::Reset)));
    chain.record_deadline(ms(9));
    assert_eq!(summaries(&chain).len(), 0);
    chain.record_deadline(ms(25));
    let told: Vec<_> = chain.events().map(|act| act.toxic.name.to_string()).collect();
    assert_eq!(told, ["reset_peer_1"]);
}
