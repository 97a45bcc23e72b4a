//! Adding and removing toxics in the middle of a stream.

use proptest::prelude::*;

use super::{arrivals, cases, drawn_or_counted, keeping, toxics};
use crate::toxic::trial::{
    Outcome, bandwidth, limit_data, loss, millis, ms, route, slicer, steady, stream, summaries, target, toxic, within,
};
use crate::toxic::{
    Boundary, Chain, Effect, EndKind, LimitTime, Moment, NEVER, Sharing, Stall, TimeoutToxic, Toxic, Toxics,
};
use crate::value::{CloseMode, Direction};

/// A connection of a route with changing toxics.
struct Live {
    toxics: Toxics,
    chain: Chain,
    outcome: Outcome,
}

impl Live {
    fn with(toxics: &[Toxic]) -> Self {
        let toxics = route(toxics);
        // The chain is created even if no toxic acts.
        let chain = toxics.chain_after(&target(1, ms(0)), Direction::Downstream, 0, &[], ms(0));
        Self { toxics, chain, outcome: Outcome::default() }
    }

    fn send(&mut self, bytes: &[u8], now: Moment) {
        self.outcome.take_due(&mut self.chain, now);
        let length = bytes.len().min(self.chain.read_limit(now));
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

    /// Returns the outcome up to `now`.
    fn outcome_at(&mut self, now: Moment) -> &Outcome {
        self.outcome.take_due(&mut self.chain, now);
        &self.outcome
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// The replacement may happen at any byte, with any bytes held.
    #[test]
    fn replacing_a_toxic_with_itself_changes_nothing(
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
        // The events may differ: that of a discarded segment has the number of bytes that arrived first.
        let [swapped_outcome, steady_outcome] =
            [&mut swapped, &mut steady].map(|live| Outcome { events: Vec::new(), ..live.outcome_at(NEVER).clone() });
        prop_assert_eq!(swapped_outcome, steady_outcome);
        prop_assert_eq!(summaries(&swapped.chain), summaries(&steady.chain));
    }

    /// No byte stays held by a removed toxic either.
    #[test]
    fn changes_lose_repeat_and_reorder_no_byte(
        changes in prop::collection::vec(toxics(keeping()), 1..8),
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
        let outcome = live.outcome_at(end);
        prop_assert!(outcome.due.is_sorted());
        prop_assert_eq!(&outcome.bytes, &sent);
        prop_assert!(live.chain.is_done());
    }
}

/// Bytes that another toxic holds stay held. Later bytes wait for none of the released ones.
#[test]
fn a_removed_toxic_releases_only_its_own_bytes() {
    let (near, far) = (toxic(0, steady(100)), toxic(1, Effect::Stall(Stall { duration: millis(500) })));
    let mut live = Live::with(&[near, far.clone()]);
    live.send(b"ab", ms(0));
    assert_eq!(live.outcome_at(ms(50)).bytes, b"");
    live.change_to(std::slice::from_ref(&far), ms(50));
    assert_eq!(live.outcome_at(ms(499)).bytes, b"");
    live.change_to(&[], ms(499));
    live.send(b"cd", ms(499));
    let outcome = live.outcome_at(ms(499));
    assert_eq!((outcome.bytes.as_slice(), outcome.due[0]), (b"abcd".as_slice(), ms(499)));
}

/// A delay that changes counts from the arrival of each byte, before and after the change.
#[test]
fn held_bytes_have_the_new_latency() {
    for (latency, first_due, second_due) in [(200, 200, 240), (70, 70, 110), (10, 50, 50), (0, 50, 50)] {
        let mut live = Live::with(&[toxic(0, steady(100))]);
        live.send(b"a", ms(0));
        live.send(b"b", ms(40));
        live.change_to(&[toxic(0, steady(latency))], ms(50));
        let outcome = live.outcome_at(ms(1000));
        assert_eq!((outcome.bytes.as_slice(), &outcome.due[..]), (&b"ab"[..], &[ms(first_due), ms(second_due)][..]));
    }
}

/// A delay that rises in small steps delays each byte by what it was when the byte arrived, or more.
#[test]
fn a_latency_that_rises_in_steps_releases_nothing_early() {
    let mut live = Live::with(&[toxic(0, steady(0))]);
    for step in 1..=80 {
        live.send(b"x", ms(u64::from(step) * 10));
        live.change_to(&[toxic(0, steady(step * 10))], ms(u64::from(step) * 10));
    }
    let outcome = live.outcome_at(ms(2000));
    assert_eq!(outcome.bytes.len(), 80);
    let (early, late) = (ms(80 * 10 + 790), ms(80 * 10 + 800));
    assert_eq!(outcome.due[79], late);
    assert!(outcome.due.is_sorted() && outcome.due[78] <= early, "{:?}", outcome.due);
    let delay = |(index, due): (usize, &Moment)| due.saturating_sub(ms((index as u64 + 1) * 10));
    assert!(outcome.due.iter().enumerate().skip(40).all(|it| delay(it) >= ms(it.0 as u64 * 10)), "{:?}", outcome.due);
}

/// An outage ends when the rate changes: held bytes pass at the new rate from then on.
#[test]
fn held_bytes_have_the_new_rate() {
    let mut live = Live::with(&[toxic(0, bandwidth(0, 0, Sharing::Own))]);
    live.send(&stream(1000), ms(0));
    live.change_to(&[toxic(0, bandwidth(10, 0, Sharing::Own))], ms(500));
    assert_eq!(live.outcome_at(ms(550)).bytes.len(), 500);
    live.change_to(&[toxic(0, bandwidth(100, 0, Sharing::Own))], ms(550));
    assert_eq!(live.outcome_at(ms(553)).bytes.len(), 800);
    assert_eq!(live.outcome_at(ms(555)).bytes.len(), 1000);
}

#[test]
fn a_changed_limit_counts_the_bytes_before_the_change() {
    for (limit, passed) in [(7, 7), (5, 5), (3, 5)] {
        let mut live = Live::with(&[toxic(0, limit_data(6, CloseMode::Close))]);
        live.send(b"abcde", ms(0));
        live.change_to(&[toxic(0, limit_data(limit, CloseMode::Close))], ms(10));
        live.send(b"fghij", ms(20));
        let outcome = live.outcome_at(ms(20));
        assert_eq!((outcome.bytes.len(), outcome.ended.is_some()), (passed, true), "{limit}");
    }
}

/// As in Toxiproxy: only the removal closes a stream with a gap.
#[test]
fn a_changed_timeout_counts_from_when_it_was_added() {
    let timeout = |time| toxic(0, Effect::TimeoutToxic(TimeoutToxic { timeout: millis(time) }));
    let mut live = Live::with(&[]);
    live.change_to(&[timeout(0)], ms(100));
    live.send(b"ab", ms(110));
    live.change_to(&[timeout(50)], ms(120));
    assert_eq!(live.chain.deadline(), Some((ms(150), CloseMode::Close)));
    live.change_to(&[timeout(0)], ms(130));
    assert_eq!(live.chain.deadline(), Some((NEVER, CloseMode::Close)));
    live.change_to(&[], ms(140));
    assert_eq!(live.chain.deadline(), Some((Moment::ZERO, CloseMode::Close)));
}

/// An end that is held has the new delay too.
#[test]
fn a_held_end_has_the_new_delay() {
    let mut live = Live::with(&[toxic(0, steady(100))]);
    live.chain.push_end(ms(0), Boundary::None, EndKind::Fin);
    live.change_to(&[toxic(0, steady(30))], ms(10));
    live.chain.advance(ms(29));
    assert!(live.chain.end.is_none());
    live.chain.advance(ms(30));
    assert_eq!(live.chain.end.map(|end| end.at), Some(ms(30)));
}

/// The new toxic is after the one that holds the bytes, but was added after their arrival.
#[test]
fn a_new_toxic_does_not_act_on_held_bytes() {
    let held = toxic(0, steady(100));
    let mut live = Live::with(std::slice::from_ref(&held));
    live.send(b"ab", ms(0));
    live.change_to(&[held, toxic(1, bandwidth(0, 0, Sharing::Own))], ms(100));
    live.send(b"cd", ms(101));
    assert_eq!(live.outcome_at(ms(10_000)).bytes, b"ab");
}

/// A slow link after a removed delay keeps its rate.
#[test]
fn released_bytes_pass_the_remaining_toxics() {
    let (delay, link) = (toxic(0, steady(1000)), toxic(1, bandwidth(10, 0, Sharing::Own)));
    let mut live = Live::with(&[delay, link.clone()]);
    (0..10).for_each(|tenth| live.send(&stream(100), ms(tenth * 10)));
    live.change_to(&[link], ms(100));
    assert_eq!(live.outcome_at(ms(150)).bytes.len(), 500);
    assert_eq!(live.outcome_at(ms(200)).bytes.len(), 1000);
}

#[test]
fn the_window_of_a_new_toxic_starts_when_it_is_added() {
    let limit = Effect::LimitTime(LimitTime { time: millis(50), reset: CloseMode::Reset });
    let mut live = Live::with(&[]);
    live.change_to(&[within(10..100, toxic(0, limit))], ms(500));
    assert_eq!(live.chain.deadline(), Some((ms(560), CloseMode::Reset)));
    live.change_to(&[], ms(510));
    assert_eq!(live.chain.deadline(), None);
}

/// A stream with discarded bytes can't continue.
#[test]
fn a_removed_timeout_closes_a_stream_with_a_gap() {
    let timeout = toxic(0, Effect::TimeoutToxic(TimeoutToxic { timeout: millis(0) }));
    let mut silent = Live::with(std::slice::from_ref(&timeout));
    silent.change_to(&[], ms(10));
    assert_eq!((silent.chain.deadline(), silent.chain.is_done()), (None, true));
    let mut lossy = Live::with(&[timeout]);
    lossy.send(b"ab", ms(0));
    lossy.change_to(&[], ms(10));
    assert_eq!(lossy.chain.deadline(), Some((Moment::ZERO, CloseMode::Close)));
}

/// The bytes have not reached the limit yet, so it has discarded none.
#[test]
fn a_limit_removed_before_it_is_reached_ends_nothing() {
    let (limit, slow) = (toxic(0, limit_data(2, CloseMode::Close)), toxic(1, steady(100)));
    let mut live = Live::with(&[slow.clone(), limit]);
    live.send(b"abcd", ms(0));
    assert_eq!(live.chain.read_limit(ms(0)), 0);
    live.change_to(&[slow], ms(50));
    live.send(b"cd", ms(50));
    let outcome = live.outcome_at(ms(150));
    assert_eq!((outcome.bytes.as_slice(), outcome.ended), (b"abcd".as_slice(), None));
}

/// The end has passed all links and waits only for a slow receiver.
#[test]
fn a_limit_removed_before_its_end_is_sent_ends_nothing() {
    let mut live = Live::with(&[toxic(0, limit_data(2, CloseMode::Close)), toxic(1, steady(100))]);
    live.send(b"ab", ms(0));
    live.chain.advance(ms(100));
    assert!(live.chain.end.is_some() && live.chain.has_output());
    live.change_to(&[], ms(150));
    live.send(b"cd", ms(150));
    let outcome = live.outcome_at(ms(150));
    assert_eq!((outcome.bytes.as_slice(), outcome.ended), (b"abcd".as_slice(), None));
}

/// The removed toxic holds the end that another toxic has made, which stays.
#[test]
fn an_end_released_by_a_removed_toxic_ends_the_stream() {
    let limit = toxic(0, limit_data(2, CloseMode::Close));
    let mut live = Live::with(&[limit.clone(), toxic(1, steady(100)), toxic(2, limit_data(9, CloseMode::Reset))]);
    live.send(b"ab", ms(0));
    live.chain.advance(ms(0));
    live.change_to(&[limit], ms(50));
    assert_eq!(live.outcome_at(ms(50)).ended, Some((ms(50), CloseMode::Close)));
}

/// A shared link that stays keeps its queue, for new connections too.
#[test]
fn a_shared_link_that_stays_keeps_its_queue() {
    let link = toxic(0, bandwidth(10, 0, Sharing::Shared));
    let before = route(std::slice::from_ref(&link));
    let after = before.replaced_by(&[link, toxic(1, steady(5))], ms(1));
    let last = |toxics: &Toxics, number| {
        let mut chain = toxics.chain(&target(number, ms(0)), Direction::Downstream, 0).expect("it acts");
        crate::toxic::trial::send(&mut chain, &stream(1000), [(1000, ms(0))]).due.last().copied()
    };
    assert_eq!((last(&before, 1), last(&after, 2)), (Some(ms(100)), Some(ms(205))));
}

/// A slow link after a slicer with pieces of 1 byte holds each piece in a span of 72 bytes. The queue is limited to a
/// few thousand spans.
#[test]
fn tiny_pieces_need_bounded_memory() {
    let mut live = Live::with(&[toxic(0, steady(1000)), toxic(1, slicer(1, 0, 1000)), toxic(2, loss(0.5, 0.0))]);
    (0..64).for_each(|_| live.send(&stream(65_536), ms(0)));
    live.outcome_at(ms(1500));
    assert!(live.chain.memory() < 6 << 20, "{}", live.chain.memory());
}

/// An empty span could never be written and would be retried forever.
#[test]
fn a_chain_without_unsent_bytes_holds_nothing() {
    let toxics = route(&[]);
    let after = |unsent: &[u8]| toxics.chain_after(&target(1, ms(0)), Direction::Downstream, 9, unsent, ms(5));
    assert!(after(b"").is_done() && !after(b"rest").is_done());
}
