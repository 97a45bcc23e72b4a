//! Triggers: a toxic acts from an exact byte on, in any chunks, and in the other direction on what follows.

use proptest::prelude::*;

use super::{cases, trigger};
use crate::toxic::trial::{
    Outcome, chain, finish, limit_data, millis, ms, route, send, share, steady, stream, target, toxic, within,
};
use crate::toxic::{
    Boundary, Chain, Corrupt, Effect, EndKind, LimitTime, Moment, NEVER, ResetPeer, Stall, Target, TimeoutToxic, Toxic,
};
use crate::value::{CloseMode, Direction, Mark, MessagePart, Nth, Pattern, Stream, Then, Trigger};

const LENGTH: usize = 9_000;

fn reset() -> Effect {
    Effect::ResetPeer(ResetPeer { timeout: millis(0) })
}

fn from(when: Trigger, effect: Effect) -> Toxic {
    Toxic { when: Some(when), ..toxic(0, effect) }
}

fn contains(stream: Direction, text: &str, then: Then) -> Trigger {
    Trigger { stream, mark: Mark::Pattern(Pattern::of_text(text).expect("a pattern"), Nth::default()), then }
}

fn message(stream: Direction, point: &str, then: Then) -> Trigger {
    Trigger { stream, mark: Mark::Message(point.parse().expect("a point")), then }
}

/// The offset from which a toxic with this trigger acts on the stream, found in another way than by searching chunks.
fn point(trigger: &Trigger, sent: &[u8]) -> Option<usize> {
    let (start, length) = match &trigger.mark {
        Mark::Message(point) => {
            let byte = match point.part {
                MessagePart::Byte(byte) => usize::try_from(byte.get()).expect("small") - 1,
                MessagePart::Last => sent.len() - 1,
            };
            (Some(byte).filter(|byte| *byte < sent.len()), 1)
        }
        Mark::Pattern(pattern, nth) => {
            // Bytes of the trial stream differ from their neighbours, so matches can't overlap.
            let starts = sent.windows(pattern.bytes().len()).enumerate();
            let mut starts = starts.filter(|(_, window)| *window == pattern.bytes()).map(|(start, _)| start);
            let skipped = match nth {
                Nth::Only(number) => usize::try_from(number.get()).expect("small") - 1,
                Nth::Each => 0,
            };
            (starts.nth(skipped), pattern.bytes().len())
        }
    };
    start.map(|start| if trigger.then == Then::Before { start } else { start + length })
}

proptest! {
    #![proptest_config(cases(300))]

    /// A reset ends the stream exactly at the point, in any chunks.
    #[test]
    fn a_toxic_that_ends_the_stream_does_so_at_the_point(
        when in trigger(),
        length in 1..LENGTH,
        lengths in prop::collection::vec(1..3000_usize, 1..9),
    ) {
        let sent = stream(length);
        let mut chain = chain(&[from(when.clone(), reset())]);
        let chunks = lengths.into_iter().chain(std::iter::repeat(LENGTH)).map(|length| (length, ms(5)));
        let mut outcome = send(&mut chain, &sent, chunks);
        chain.push_end(ms(5), Boundary::None, EndKind::Fin);
        outcome.take_due(&mut chain, NEVER);
        let point = point(&when, &sent);
        prop_assert_eq!(outcome.bytes, &sent[..point.unwrap_or(length)]);
        prop_assert_eq!(outcome.ended, point.map(|_| (ms(5), CloseMode::Reset)));
    }

    /// A toxic that changes bytes changes those from the point on and no other.
    #[test]
    fn a_toxic_acts_from_the_point_on(when in trigger(), length in 1..LENGTH, chunk in 1..3000_usize) {
        let sent = stream(length);
        let mut chain = chain(&[from(when.clone(), Effect::Corrupt(Corrupt { rate: share(1.0) }))]);
        let mut outcome = send(&mut chain, &sent, std::iter::repeat((chunk, ms(5))));
        finish(&mut chain, ms(5));
        outcome.take_due(&mut chain, NEVER);
        let changed: Vec<bool> = outcome.bytes.iter().zip(&sent).map(|(one, other)| one != other).collect();
        let point = point(&when, &sent).unwrap_or(length);
        let expected: Vec<bool> = (0..length).map(|offset| offset >= point).collect();
        prop_assert_eq!(changed, expected);
    }
}

/// Two directions of a connection, each with its chain.
struct Connection {
    up: Chain,
    down: Chain,
}

impl Connection {
    fn with(toxics: &[Toxic]) -> Self {
        let (route, target): (_, Target<'_>) = (route(toxics), target(1, ms(0)));
        let chain = |direction| route.chain_after(&target, direction, 0, &[], ms(0));
        Self { up: chain(Direction::Upstream), down: chain(Direction::Downstream) }
    }
}

/// Sends a message, of which the sender's silence is noticed. Returns what is written at once.
fn say(chain: &mut Chain, now: Moment, text: &str) -> String {
    chain.push(now, Boundary::Turn, text.as_bytes());
    let mut written = write(chain, now);
    chain.pause(now + ms(10));
    written.push_str(&write(chain, now + ms(10)));
    written
}

/// Writes what is due, with announcements between writes as the proxy has them.
fn write(chain: &mut Chain, now: Moment) -> String {
    chain.advance(now);
    let mut written = Vec::new();
    while chain.has_output() {
        chain.announce(now);
        let bytes: Vec<u8> = chain.output().iter().flat_map(|piece| piece.to_vec()).collect();
        chain.written(bytes.len());
        written.extend(bytes);
    }
    String::from_utf8(written).expect("text")
}

#[test]
fn the_reply_to_the_third_request_is_lost() {
    let lost = Effect::TimeoutToxic(TimeoutToxic { timeout: millis(0) });
    for when in [
        message(Direction::Downstream, "3", Then::Before),
        message(Direction::Upstream, "3:last", Then::After),
        message(Direction::Upstream, "3", Then::Before),
        contains(Direction::Upstream, "request 3", Then::After),
    ] {
        let lost = Toxic { stream: Stream::Downstream, ..from(when.clone(), lost.clone()) };
        let mut connection = Connection::with(&[lost]);
        for number in 1..=4 {
            let (now, request, reply) = (ms(number * 100), format!("request {number}"), format!("reply {number}"));
            assert_eq!(say(&mut connection.up, now, &request), request, "{when:?}");
            let expected = if number < 3 { reply.as_str() } else { "" };
            assert_eq!(say(&mut connection.down, now + ms(50), &reply), expected, "{when:?} {number}");
        }
    }
}

/// The reply may be read at once, before this direction has ended the connection.
#[test]
fn nothing_passes_the_other_direction_after_a_point_that_ends_the_connection() {
    for stream in [Stream::Upstream, Stream::Downstream, Stream::Both] {
        let when = contains(Direction::Upstream, "COMMIT", Then::After);
        let mut connection = Connection::with(&[Toxic { stream, ..from(when, reset()) }]);
        assert_eq!(say(&mut connection.up, ms(5), "BEGIN"), "BEGIN");
        assert_eq!(say(&mut connection.down, ms(6), "ok"), "ok");
        assert_eq!(say(&mut connection.up, ms(7), "COMMIT; BEGIN"), "COMMIT");
        assert_eq!(connection.up.take_end().map(|end| end.kind), Some(EndKind::Toxic(CloseMode::Reset)));
        assert_eq!(say(&mut connection.down, ms(8), "ok"), "");
    }
}

/// Bytes that a latency holds when the point is announced were on their way.
#[test]
fn the_other_direction_is_changed_from_what_it_receives_after_the_announcement() {
    let slow = Toxic { stream: Stream::Downstream, ..toxic(0, steady(100)) };
    let when = contains(Direction::Upstream, "x", Then::After);
    let corrupt = toxic(1, Effect::Corrupt(Corrupt { rate: share(1.0) }));
    let corrupt = Toxic { stream: Stream::Downstream, when: Some(when), ..corrupt };
    let mut connection = Connection::with(&[slow, corrupt]);
    connection.down.push(ms(1), Boundary::None, b"before");
    assert_eq!(say(&mut connection.up, ms(2), "x"), "x");
    connection.down.push(ms(3), Boundary::None, b"after");
    connection.down.advance(ms(103));
    let written: Vec<u8> = connection.down.output().iter().flat_map(|piece| piece.to_vec()).collect();
    assert_eq!(written[..6], *b"before");
    assert!(written[6..].iter().zip(b"after").all(|(one, other)| one != other));
}

/// The point is announced nowhere then, and nothing waits for it.
#[test]
fn a_removed_trigger_holds_nothing_back() {
    let slow = Toxic { stream: Stream::Upstream, ..toxic(0, steady(100)) };
    let when = contains(Direction::Upstream, "x", Then::After);
    let corrupt = toxic(1, Effect::Corrupt(Corrupt { rate: share(1.0) }));
    let corrupt = Toxic { stream: Stream::Downstream, when: Some(when), ..corrupt };
    let (toxics, target) = (route(&[slow.clone(), corrupt]), target(1, ms(0)));
    let mut up = toxics.chain(&target, Direction::Upstream, 0).expect("it acts");
    up.push(ms(1), Boundary::None, b"-x-");
    let toxics = toxics.replaced_by(&[slow], ms(50));
    toxics.rebuild(&mut up, &target, ms(50));
    assert_eq!(write(&mut up, ms(101)), "-x-");
}

/// The times of a toxic count from its trigger.
#[test]
fn times_count_from_the_trigger() {
    let when = contains(Direction::Downstream, "x", Then::After);
    let slow = Toxic { when: Some(when.clone()), ..within(100..300, toxic(0, steady(5))) };
    let mut delayed = chain(&[slow]);
    for (now, due) in [(0, 0), (50, 50), (149, 149), (150, 155), (349, 354), (350, 354)] {
        let byte = if now == 50 { "x" } else { "-" };
        delayed.push(ms(now), Boundary::None, byte.as_bytes());
        let mut outcome = Outcome::default();
        outcome.take_due(&mut delayed, NEVER);
        assert_eq!(outcome.due, [ms(due)], "{now}");
    }
    let lasts = Effect::LimitTime(LimitTime { time: millis(200), reset: CloseMode::Close });
    let mut limited = chain(&[from(when, lasts)]);
    assert_eq!(limited.deadline(), None);
    assert_eq!(send(&mut limited, b"-x-", [(3, ms(70))]).bytes, b"-x-");
    assert_eq!(limited.deadline(), Some((ms(270), CloseMode::Close)));
}

/// A toxic that can act again does so from each match on.
#[test]
fn each_match_stalls_the_stream_anew() {
    let mark = Mark::Pattern(Pattern::of_text("x").expect("a pattern"), Nth::Each);
    let when = Trigger { stream: Direction::Downstream, mark, then: Then::After };
    let mut chain = chain(&[from(when, Effect::Stall(Stall { duration: millis(100) }))]);
    let outcome = send(&mut chain, b"x-x--", [(2, ms(0)), (1, ms(200)), (1, ms(210)), (1, ms(400))]);
    assert_eq!(outcome.due, [0, 100, 200, 300, 400].map(ms));
}

/// What may be the beginning of a match waits for the rest, but not after the sender has paused.
#[test]
fn the_beginning_of_a_match_is_held_until_the_sender_pauses() {
    let mut chain =
        chain(&[from(contains(Direction::Downstream, "COMMIT", Then::Before), limit_data(0, CloseMode::Close))]);
    chain.push(ms(1), Boundary::None, b"do COM");
    assert_eq!(write(&mut chain, ms(1)), "do ");
    assert!(chain.holds_any());
    chain.pause(ms(11));
    assert_eq!(write(&mut chain, ms(11)), "COM");
    chain.push(ms(20), Boundary::None, b"MIT");
    assert_eq!(write(&mut chain, ms(20)), "");
    assert!(chain.take_end().is_some());
}

/// A connection that is older than the toxic begins to count when the toxic is added, and a change of another toxic
/// changes nothing.
#[test]
fn a_search_goes_on_when_other_toxics_change() {
    let late = from(message(Direction::Downstream, "2", Then::Before), limit_data(0, CloseMode::Close));
    let (toxics, target) = (route(&[]), target(1, ms(0)));
    let mut chain = toxics.chain_after(&target, Direction::Downstream, 0, &[], ms(0));
    assert_eq!(say(&mut chain, ms(0), "one"), "one");
    let toxics = toxics.replaced_by(std::slice::from_ref(&late), ms(50));
    toxics.rebuild(&mut chain, &target, ms(50));
    assert_eq!(say(&mut chain, ms(60), "two"), "two");
    let toxics = toxics.replaced_by(&[late, toxic(1, steady(0))], ms(80));
    toxics.rebuild(&mut chain, &target, ms(80));
    assert_eq!(say(&mut chain, ms(90), "three"), "");
    assert!(chain.take_end().is_some());
}
