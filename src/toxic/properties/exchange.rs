//! Toxics that come and go in the middle of a stream.

use proptest::prelude::*;

use super::{arrivals, cases, drawn_or_counted, harmless, toxics};
use crate::toxic::trial::{
    Outcome, bandwidth, limit_data, loss, millis, ms, route, slicer, steady, stream, summaries, target, toxic, within,
};
use crate::toxic::{Boundary, Chain, Effect, LimitTime, Moment, NEVER, Sharing, Stall, TimeoutToxic, Toxic, Toxics};
use crate::value::{CloseMode, Direction};

/// A connection of a route whose toxics change.
struct Live {
    toxics: Toxics,
    chain: Chain,
    outcome: Outcome,
}

impl Live {
    fn with(toxics: &[Toxic]) -> Self {
        let toxics = route(toxics);
        // A chain without toxics, if none acts.
        let mut chain = Chain::new(Direction::Downstream, 0);
        toxics.rebuild(&mut chain, &target(1, ms(0)), ms(0));
        Self { toxics, chain, outcome: Outcome::default() }
    }

    fn send(&mut self, bytes: &[u8], now: Moment) {
        self.outcome.take_due(&mut self.chain, now);
        let length = bytes.len().min(self.chain.takes(now));
        self.chain.push(now, Boundary::None, &bytes[..length]);
        if length < bytes.len() && length > 0 {
            self.send(&bytes[length..], now);
        }
    }

    fn change_to(&mut self, toxics: &[Toxic], now: Moment) {
        self.outcome.take_due(&mut self.chain, now);
        self.toxics = self.toxics.replaced_by(toxics, now);
        self.toxics.rebuild(&mut self.chain, &target(1, ms(0)), now);
    }

    /// What has left by that moment.
    fn left_by(&mut self, now: Moment) -> &Outcome {
        self.outcome.take_due(&mut self.chain, now);
        &self.outcome
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// At any byte, whatever the toxics hold then.
    #[test]
    fn a_toxic_that_is_swapped_for_itself_goes_on(
        toxics in toxics(drawn_or_counted()),
        arrivals in arrivals(),
        swaps in prop::collection::vec(any::<bool>(), 30),
    ) {
        let (mut steady, mut swapped) = (Live::with(&toxics), Live::with(&toxics));
        for (&(length, now), swap) in arrivals.iter().zip(swaps) {
            let bytes = stream(length);
            steady.send(&bytes, now);
            swapped.send(&bytes, now);
            if swap {
                swapped.change_to(&toxics, now);
            }
        }
        // Not what is logged on the way: of a segment that is discarded, that is what came first.
        let [swapped_outcome, steady_outcome] =
            [&mut swapped, &mut steady].map(|live| Outcome { acts: Vec::new(), ..live.left_by(NEVER).clone() });
        prop_assert_eq!(swapped_outcome, steady_outcome);
        prop_assert_eq!(summaries(&swapped.chain), summaries(&steady.chain));
    }

    /// No byte is lost, repeated or overtaken, and none is held by a toxic that is no more.
    #[test]
    fn every_byte_survives_any_change(
        changes in prop::collection::vec(toxics(harmless()), 1..8),
        arrivals in arrivals(),
    ) {
        let mut live = Live::with(&changes[0]);
        let mut sent = Vec::new();
        for (index, &(length, now)) in arrivals.iter().enumerate() {
            let bytes: Vec<u8> = stream(sent.len() + length).split_off(sent.len());
            live.send(&bytes, now);
            sent.extend(bytes);
            live.change_to(&changes[index % changes.len()], now);
        }
        let end = arrivals[arrivals.len() - 1].1;
        live.change_to(&[], end);
        let outcome = live.left_by(end);
        prop_assert!(outcome.leaves.is_sorted());
        prop_assert_eq!(&outcome.bytes, &sent);
        prop_assert!(live.chain.is_done());
    }
}

/// What it holds, and nothing that another one holds; what comes later waits for none of it.
#[test]
fn a_removed_toxic_lets_go_of_what_it_holds() {
    let (near, far) = (toxic(0, steady(100)), toxic(1, Effect::Stall(Stall { duration: millis(500) })));
    let mut live = Live::with(&[near, far.clone()]);
    live.send(b"ab", ms(0));
    assert_eq!(live.left_by(ms(50)).bytes, b"");
    live.change_to(std::slice::from_ref(&far), ms(50));
    assert_eq!(live.left_by(ms(499)).bytes, b"");
    live.change_to(&[], ms(499));
    live.send(b"cd", ms(499));
    let outcome = live.left_by(ms(499));
    assert_eq!((outcome.bytes.as_slice(), outcome.leaves[0]), (b"abcd".as_slice(), ms(499)));
}

/// It has not acted on them.
#[test]
fn a_new_toxic_leaves_alone_what_is_held_already() {
    let held = toxic(0, steady(100));
    let mut live = Live::with(std::slice::from_ref(&held));
    live.send(b"ab", ms(0));
    live.change_to(&[held, toxic(1, bandwidth(0, 0, Sharing::Own))], ms(100));
    live.send(b"cd", ms(101));
    assert_eq!(live.left_by(ms(10_000)).bytes, b"ab");
}

/// A slow link after a removed delay is still as slow.
#[test]
fn what_is_let_go_passes_the_toxics_that_stay() {
    let (delay, link) = (toxic(0, steady(1000)), toxic(1, bandwidth(10, 0, Sharing::Own)));
    let mut live = Live::with(&[delay, link.clone()]);
    (0..10).for_each(|tenth| live.send(&stream(100), ms(tenth * 10)));
    live.change_to(&[link], ms(100));
    assert_eq!(live.left_by(ms(150)).bytes.len(), 500);
    assert_eq!(live.left_by(ms(200)).bytes.len(), 1000);
}

#[test]
fn the_time_of_a_new_toxic_begins_when_it_comes() {
    let limit = Effect::LimitTime(LimitTime { time: millis(50), reset: CloseMode::Reset });
    let mut live = Live::with(&[]);
    live.change_to(&[within(10..100, toxic(0, limit))], ms(500));
    assert_eq!(live.chain.deadline(), Some((ms(560), CloseMode::Reset)));
    live.change_to(&[], ms(510));
    assert_eq!(live.chain.deadline(), None);
}

/// Its stream has a hole.
#[test]
fn a_removed_timeout_that_has_discarded_closes() {
    let timeout = toxic(0, Effect::TimeoutToxic(TimeoutToxic { timeout: millis(0) }));
    let mut silent = Live::with(std::slice::from_ref(&timeout));
    silent.change_to(&[], ms(10));
    assert_eq!((silent.chain.deadline(), silent.chain.is_done()), (None, true));
    let mut torn = Live::with(&[timeout]);
    torn.send(b"ab", ms(0));
    torn.change_to(&[], ms(10));
    assert_eq!(torn.chain.deadline(), Some((Moment::ZERO, CloseMode::Close)));
}

/// It has not ended the stream yet, and has cut nothing off.
#[test]
fn a_limit_that_is_removed_before_its_end_leaves_ends_nothing() {
    let (limit, slow) = (toxic(0, limit_data(2, CloseMode::Close)), toxic(1, steady(100)));
    let mut live = Live::with(&[slow.clone(), limit]);
    live.send(b"abcd", ms(0));
    assert_eq!(live.chain.takes(ms(0)), 0);
    live.change_to(&[slow], ms(50));
    live.send(b"cd", ms(50));
    let outcome = live.left_by(ms(150));
    assert_eq!((outcome.bytes.as_slice(), outcome.ended), (b"abcd".as_slice(), None));
}

/// Its end has passed all links, and waits only for a slow receiver.
#[test]
fn a_limit_that_is_removed_before_its_end_is_taken_ends_nothing() {
    let mut live = Live::with(&[toxic(0, limit_data(2, CloseMode::Close)), toxic(1, steady(100))]);
    live.send(b"ab", ms(0));
    live.chain.advance(ms(100));
    assert!(live.chain.end.is_some() && live.chain.has_output());
    live.change_to(&[], ms(150));
    live.send(b"cd", ms(150));
    let outcome = live.left_by(ms(150));
    assert_eq!((outcome.bytes.as_slice(), outcome.ended), (b"abcd".as_slice(), None));
}

/// The end that a removed toxic holds is that of another one, which stays.
#[test]
fn an_end_that_is_let_go_still_ends_the_stream() {
    let limit = toxic(0, limit_data(2, CloseMode::Close));
    let mut live = Live::with(&[limit.clone(), toxic(1, steady(100)), toxic(2, limit_data(9, CloseMode::Reset))]);
    live.send(b"ab", ms(0));
    live.chain.advance(ms(0));
    live.change_to(&[limit], ms(50));
    assert_eq!(live.left_by(ms(50)).ended, Some((ms(50), CloseMode::Close)));
}

/// A shared link that stays goes on where it was, for new connections too.
#[test]
fn a_shared_link_that_stays_keeps_its_queue() {
    let link = toxic(0, bandwidth(10, 0, Sharing::Shared));
    let before = route(std::slice::from_ref(&link));
    let after = before.replaced_by(&[link, toxic(1, steady(5))], ms(1));
    let last = |toxics: &Toxics, number| {
        let mut chain = toxics.chain(&target(number, ms(0)), Direction::Downstream, 0).expect("it acts");
        crate::toxic::trial::send(&mut chain, &stream(1000), [(1000, ms(0))]).leaves.last().copied()
    };
    assert_eq!((last(&before, 1), last(&after, 2)), (Some(ms(100)), Some(ms(205))));
}

/// A slow link cut into single bytes holds them as spans of 72 bytes each: never more than a few thousand of them.
#[test]
fn tiny_pieces_take_no_more_memory_than_a_queue_has() {
    let mut live = Live::with(&[toxic(0, steady(1000)), toxic(1, slicer(1, 0, 1000)), toxic(2, loss(0.5, 0.0))]);
    (0..64).for_each(|_| live.send(&stream(65_536), ms(0)));
    live.left_by(ms(1500));
    assert!(live.chain.memory() < 6 << 20, "{}", live.chain.memory());
}

/// Nothing waited to be sent: an empty piece could never be written, and would be tried without end.
#[test]
fn a_chain_after_a_stream_that_was_sent_holds_nothing() {
    let toxics = route(&[]);
    let after = |unsent: &[u8]| toxics.chain_after(&target(1, ms(0)), Direction::Downstream, 9, unsent, ms(5));
    assert!(after(b"").is_done() && !after(b"rest").is_done());
}
