//! A change of toxics reaches a direction at once, wherever it waits.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::thread;

use crate::backlog::{connect_small, fill_with_small_messages, receives_nothing_more, shrink};
use crate::harness::{
    End, HOUR, MUCH, OneRoute, PORT, Pair, accept, at_once, fill, is_silent, passes, pattern, read_exactly,
    read_to_end, reset, stays_open, with_timeouts,
};
use crate::proxy::toxic;

const STREAMS: [&str; 2] = ["upstream", "downstream"];

fn close_now(stream: &str) -> String {
    toxic("limit_time", stream, r#""time": 0"#)
}

fn reset_now(stream: &str) -> String {
    toxic("reset_peer", stream, r#""timeout": 0"#)
}

fn latency(stream: &str, millis: &str) -> String {
    toxic("latency", stream, &format!(r#""latency": {millis}"#))
}

fn slicer(stream: &str) -> String {
    toxic("slicer", stream, r#""average_size": 100"#)
}

/// Toxics that hold data for ever, or for an hour.
fn holding(stream: &str) -> [String; 3] {
    [latency(stream, HOUR), toxic("stall", stream, ""), toxic("bandwidth", stream, r#""rate": 0"#)]
}

#[track_caller]
fn assert_closed_at_once(pair: &Pair) {
    at_once(|| [&pair.client, &pair.server].map(|end| assert_eq!(read_to_end(end), End::Fin(Vec::new()))));
}

/// In a read right after a message, and in a poll after a pause.
#[test]
fn idle_connection() {
    for stream in STREAMS {
        for pauses in [false, true] {
            let run = OneRoute::new(&[]);
            let live = run.pair();
            assert!(live.forwards());
            if pauses {
                assert!(is_silent(&live.client) && is_silent(&live.server));
            }
            run.set(&[close_now(stream)]);
            assert_closed_at_once(&live);
        }
    }
}

#[test]
fn half_closed_connection() {
    for finished in STREAMS {
        for stream in STREAMS {
            let run = OneRoute::new(&[]);
            let live = run.pair();
            let (from, to) = live.ends(finished);
            from.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_to_end(to), End::Fin(Vec::new()));
            assert!(passes(to, from, b"reply") && is_silent(from));
            run.set(&[latency("both", "1")]);
            assert!(passes(to, from, b"late reply"));
            run.set(&[reset_now(stream)]);
            at_once(|| assert_eq!(read_to_end(from), End::Reset));
        }
    }
}

/// A socket reports a reset once. The read that gets it may return after the change, and a second read returns 0. After the
/// reply the direction waits in a blocking read, which does not notice the change.
#[test]
fn reset_of_a_half_closed_connection() {
    for finished in STREAMS {
        let run = OneRoute::new(&[]);
        let live = run.pair();
        let is_upstream = finished == "upstream";
        let (from, to) = if is_upstream { (live.client, live.server) } else { (live.server, live.client) };
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&to), End::Fin(Vec::new()));
        assert!(passes(&to, &from, b"reply"));
        run.set(&[latency("both", "1")]);
        reset(to);
        assert_eq!(read_to_end(&from), End::Reset);
    }
}

/// Fills the sink of a direction; returns what was sent.
type Fill = fn(&TcpStream, &[u8]) -> usize;

/// By bulk, whose rest is in a pipe, and by small messages, of which one was not sent.
const FILLS: [Fill; 2] = [fill, fill_with_small_messages];

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(MUCH));

/// A direction with a full sink, and what was sent.
fn full(run: &OneRoute, stream: &str, fill: Fill) -> (Pair, Vec<u8>) {
    shrink(&run.upstream);
    let client = with_timeouts(connect_small((run.proxy.ip, PORT).into()));
    let live = Pair { client, server: accept(&run.upstream) };
    let taken = fill(live.ends(stream).0, &BYTES);
    let sent = BYTES[..taken].to_vec();
    assert!(receives_nothing_more(live.ends(stream).1));
    (live, sent)
}

#[test]
fn full_sink() {
    for stream in STREAMS {
        for fill in FILLS {
            let run = OneRoute::new(&[]);
            let (live, _) = full(&run, stream, fill);
            run.set(&[reset_now(stream)]);
            at_once(|| assert_eq!(read_to_end(live.ends(stream).0), End::Reset));
        }
    }
}

/// What waits for a full sink changes hands with every change, and none of it is lost.
#[test]
fn full_sink_loses_nothing() {
    for fill in FILLS {
        for stream in STREAMS {
            let run = OneRoute::new(&[]);
            let (live, sent) = full(&run, stream, fill);
            let (mut from, to) = live.ends(stream);
            for toxics in [&[latency(stream, "1")][..], &[], &[slicer(stream)], &[latency(stream, HOUR)]] {
                run.set(toxics);
                assert!(is_silent(from));
            }
            run.set(&[]);
            assert!(read_exactly(to, sent.len()) == sent);
            from.write_all(b"more").unwrap();
            from.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_to_end(to), End::Fin(b"more".to_vec()));
        }
    }
}

#[test]
fn delay_and_stall() {
    for stream in STREAMS {
        for held_by in holding(stream) {
            for next in [&[][..], &[latency(stream, "1")], &[latency("both", "1"), slicer(stream)]] {
                let run = OneRoute::new(std::slice::from_ref(&held_by));
                let live = run.pair();
                let (mut from, to) = live.ends(stream);
                for message in [&b"one"[..], b"two", b"three"] {
                    from.write_all(message).unwrap();
                    assert!(is_silent(to));
                }
                from.shutdown(Shutdown::Write).unwrap();
                run.set(next);
                at_once(|| assert_eq!(read_to_end(to), End::Fin(b"onetwothree".to_vec()), "{held_by} {next:?}"));
                assert!(passes(to, from, b"reply"));
            }
        }
    }
}

/// One that stays goes on holding what it holds, and a deadline that is added acts on what waits in it.
#[test]
fn toxic_beside_one_that_holds() {
    for stream in STREAMS {
        for held_by in holding(stream) {
            let run = OneRoute::new(std::slice::from_ref(&held_by));
            let live = run.pair();
            let (mut from, to) = live.ends(stream);
            from.write_all(b"held").unwrap();
            assert!(is_silent(to));
            run.set(&[latency("both", "1"), held_by.clone(), slicer(stream)]);
            assert!(is_silent(to));
            run.set(&[held_by.clone(), reset_now(stream)]);
            at_once(|| assert_eq!((read_to_end(from), read_to_end(to)), (End::Reset, End::Reset)));
        }
    }
}

/// Toxics that come while a connection waits for the route's latency act once it forwards, those that go don't.
#[test]
fn route_latency() {
    let limit = toxic("limit_data", "upstream", r#""bytes": 3"#);
    let run = OneRoute::with_keys(r#""latencyMs": 300, "#, &[toxic("stall", "upstream", "")]);
    let live = run.pair();
    (&live.client).write_all(b"abcdef").unwrap();
    run.set(&[limit]);
    at_once(|| assert_eq!(read_to_end(&live.server), End::Fin(b"abc".to_vec())));
}

/// A stream with a hole can't go on, one without goes on.
#[test]
fn removed_timeout_closes_only_what_has_lost_bytes() {
    for stream in STREAMS {
        let run = OneRoute::new(&[toxic("timeout", stream, "")]);
        let (torn, whole) = (run.pair(), run.pair());
        let (mut from, to) = torn.ends(stream);
        from.write_all(b"lost").unwrap();
        assert!(is_silent(to));
        run.set(&[]);
        assert_closed_at_once(&torn);
        assert!(whole.forwards());
    }
}

/// Changes that come faster than a direction can follow do not keep it from reading.
#[test]
fn endless_changes_stop_no_stream() {
    let run = OneRoute::new(&[]);
    let live = run.pair();
    thread::scope(|scope| {
        let messages = scope.spawn(|| (0..200).all(|_| live.forwards()));
        while !messages.is_finished() {
            run.set(&[latency("both", "1")]);
            run.set(&[toxic("noop", "both", ""), slicer("both")]);
        }
        assert!(messages.join().unwrap());
    });
}

/// A client that has closed has sent a request all the same.
#[test]
fn held_bytes_of_a_client_that_has_left_are_delivered_when_their_toxic_is_removed() {
    for holding in [toxic("stall", "upstream", ""), toxic("bandwidth", "upstream", r#""rate": 0"#)] {
        let run = OneRoute::new(&[holding]);
        let Pair { client, server } = run.pair();
        (&client).write_all(b"request").unwrap();
        drop(client);
        assert!(is_silent(&server));
        run.set(&[]);
        assert_eq!(read_to_end(&server), End::Fin(b"request".to_vec()));
    }
}

/// The client has closed its sending direction, and the server both: only the client's reading is left.
#[test]
fn a_client_that_still_reads_is_not_reset_while_its_request_is_held() {
    let run = OneRoute::new(&[toxic("stall", "upstream", "")]);
    let Pair { client, server } = run.pair();
    (&client).write_all(b"request").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let answer = pattern(MUCH / 8);
    thread::scope(|scope| {
        scope.spawn(|| {
            (&server).write_all(&answer).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        assert!(read_exactly(&client, 1000) == answer[..1000] && stays_open(&client));
        assert!(read_to_end(&client) == End::Fin(answer[1000..].to_vec()));
    });
    run.set(&[]);
    assert_eq!(read_to_end(&server), End::Fin(b"request".to_vec()));
}
