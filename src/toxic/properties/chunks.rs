//! The effect on a byte depends on its offset, not on the chunk that it arrived in, nor on other connections.

use proptest::prelude::*;

use super::{arrivals, cases, drawing, drawn_or_counted, toxics};
use crate::toxic::trial::{
    Outcome, chain, chain_of, chunks, corrupt, latency, limit_data, loss, millis, ms, route, send, slicer, steady,
    stream, summaries, target, toxic,
};
use crate::toxic::{Amount, Distribution, Effect, Stall, TimeoutToxic, Toxic};
use crate::value::{CloseMode, Direction};

/// Several segments, the last one incomplete.
const LENGTH: usize = 9_000;

const AT: u64 = 500;

fn sent_in(toxics: &[Toxic], lengths: impl IntoIterator<Item = usize>) -> Outcome {
    let chunks = lengths.into_iter().map(|length| (length, ms(AT)));
    send(&mut chain(toxics), &stream(LENGTH), chunks).sorted()
}

/// The outcome without events, and the summary of each toxic. If a limit begins to act later, in a window or from a
/// trigger on, bytes beyond it may be on their way to it by then: what other toxics did to them is counted.
fn treatment(toxics: &[Toxic], lengths: impl IntoIterator<Item = usize>) -> (Outcome, Vec<(u64, Amount)>) {
    let chunks = lengths.into_iter().map(|length| (length, ms(AT)));
    let mut chain = chain(toxics);
    let outcome = send(&mut chain, &stream(LENGTH), chunks);
    // The event of a discarded segment has the number of bytes that arrived first.
    let acts_at_once = |toxic: &Toxic| toxic.when.is_none() && toxic.selector.window.begins() <= ms(AT);
    let is_counted = toxics.iter().all(acts_at_once);
    (Outcome { events: Vec::new(), ..outcome }, if is_counted { summaries(&chain) } else { Vec::new() })
}

fn repeated(length: usize) -> impl Iterator<Item = usize> {
    std::iter::repeat(length)
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn one_toxic_treats_bytes_alike_in_any_chunks(
        effect in drawing(),
        lengths in prop::collection::vec(1..5000_usize, 1..9),
    ) {
        let toxics = [toxic(0, effect)];
        let whole = sent_in(&toxics, [LENGTH]);
        for length in [1, 1448, 1460, 4096] {
            prop_assert_eq!(&sent_in(&toxics, repeated(length)), &whole);
        }
        prop_assert_eq!(&sent_in(&toxics, lengths.into_iter().chain(repeated(LENGTH))), &whole);
    }

    #[test]
    fn a_chain_treats_bytes_alike_in_any_chunks(
        toxics in toxics(drawn_or_counted()),
        lengths in prop::collection::vec(1..5000_usize, 1..9),
    ) {
        let whole = treatment(&toxics, [LENGTH]);
        for length in [1, 1460] {
            prop_assert_eq!(&treatment(&toxics, repeated(length)), &whole);
        }
        prop_assert_eq!(&treatment(&toxics, lengths.into_iter().chain(repeated(LENGTH))), &whole);
    }

    /// The arrival time changes when bytes are due, and nothing else.
    #[test]
    fn draws_do_not_depend_on_arrival_times(effect in drawing(), arrivals in arrivals()) {
        let length = arrivals.iter().map(|(length, _)| length).sum();
        let at_once = send(&mut chain_of([effect.clone()]), &stream(length), [(length, ms(0))]);
        let slowly = send(&mut chain_of([effect]), &stream(length), arrivals);
        prop_assert_eq!(slowly.bytes, at_once.bytes);
        prop_assert_eq!(slowly.cuts, at_once.cuts);
        prop_assert_eq!(slowly.events, at_once.events);
    }

    /// The connections take turns by chunk, as threads would.
    #[test]
    fn connections_do_not_disturb_each_other(
        toxics in toxics(drawn_or_counted()),
        turns in prop::collection::vec(0..50_usize, 200),
    ) {
        let route = route(&toxics);
        let open = |place: usize| route.chain(&target(place as u64 + 1, ms(0)), Direction::Downstream, 0).expect("a toxic that acts");
        let mut chains: Vec<_> = (0..50).map(open).collect();
        let mut together = vec![Outcome::default(); 50];
        let stream = stream(1000);
        for &turn in &turns {
            let (chain, outcome) = (&mut chains[turn], &mut together[turn]);
            outcome.take(chain, &stream, ms(AT));
        }
        for (place, together) in together.iter().enumerate() {
            let (mut chain, mut alone) = (open(place), Outcome::default());
            turns.iter().filter(|&&turn| turn == place).for_each(|_| alone.take(&mut chain, &stream, ms(AT)));
            prop_assert_eq!(together, &alone);
        }
    }
}

/// Held and discarded bytes are counted by segments, not by reads: 9,000 bytes are seven segments.
#[test]
fn a_summary_does_not_depend_on_chunks() {
    let stall = Effect::Stall(Stall { duration: millis(800) });
    let timeout = Effect::TimeoutToxic(TimeoutToxic { timeout: millis(0) });
    for (effect, amount) in [(stall, Amount::Delay(ms(300))), (timeout, Amount::Bytes(9000))] {
        for length in [1, 1460, LENGTH] {
            let mut chain = chain_of([effect.clone()]);
            send(&mut chain, &stream(LENGTH), chunks(length, ms(AT)));
            assert_eq!(summaries(&chain), [(7, amount)], "{length}");
        }
    }
}

/// Bytes that a limit discards are not counted as corrupt.
#[test]
fn bytes_after_a_limit_are_not_counted() {
    for length in [1, 1460, LENGTH] {
        let mut chain = chain_of([corrupt(1.0), steady(5), limit_data(1000, CloseMode::Close)]);
        send(&mut chain, &stream(LENGTH), chunks(length, ms(AT)));
        let expected = [(1000, Amount::Bytes(1000)), (1, Amount::Delay(ms(5))), (1, Amount::Bytes(1000))];
        assert_eq!(summaries(&chain), expected, "{length}");
    }
}

/// Chunks of 64 KiB and more, as in real reads.
#[test]
fn large_chunks_are_treated_alike() {
    let effects = [latency(200, 60, 0.5, Distribution::Pareto), loss(0.05, 0.3), corrupt(0.001), slicer(900, 899, 70)];
    let sent = stream(150_000);
    let by = |length| send(&mut chain_of(effects.clone()), &sent, chunks(length, ms(AT))).sorted();
    let whole = by(150_000);
    for length in [1, 1460, 64 * 1024] {
        assert!(by(length) == whole, "{length}");
    }
}
