//! `limit_data`: passes the exact number of bytes, then closes or resets.

use std::io::Write;
use std::thread;
use std::time::Instant;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{
    End, STREAMS, assert_on_time, is_silent, millis, noise, read_all, read_exactly, run, toxic, toxic_with, transfer,
};

#[test]
fn passes_exactly_the_limit_then_closes() {
    for (reset, end) in [("false", End::Fin), ("true", End::Reset)] {
        for stream in STREAMS {
            for (bytes, write_size) in [(1, 1), (1000, 1), (1000, 1460), (1000, 1000), (100_000, 65_536)] {
                let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {bytes}, "reset": {reset}"#))]);
                let (sent, endpoints) = (noise(300_000), run.endpoints(stream));
                let (received, how) = transfer(&endpoints, &sent, write_size);
                assert!(received == sent[..bytes], "{} of {bytes}", received.len());
                assert_eq!(how, end);
                drop(endpoints);
                let (up, down) = if stream == "upstream" { (bytes, 0) } else { (0, bytes) };
                run.proxy.logged(&["connection closed", &format!("bytes_up={up} bytes_down={down}"), "by a toxic"]);
            }
        }
    }
}

/// The reader reads 64 KiB, the size of its kernel buffer, then pauses for 500 ms. In total this is longer than the
/// proxy waits for a reader that makes no progress. The sleep makes the reader slow; it does not wait for a condition.
#[test]
fn slow_reader_receives_all_bytes_before_the_close() {
    const BYTES: usize = 1_000_000;
    let slow = |stream: &str, (reset, end): (&str, End)| {
        let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {BYTES}, "reset": {reset}"#))]);
        let ((mut from, to), sent) = (run.endpoints(stream), noise(BYTES));
        set_socket_recv_buffer_size(&to, 65_536).unwrap();
        from.write_all(&sent).unwrap();
        let mut received = Vec::new();
        while received.len() + 65_536 < BYTES {
            received.extend(read_exactly(&to, 65_536));
            thread::sleep(millis(500));
        }
        let (rest, how) = read_all(&to);
        received.extend(rest);
        assert!(received == sent && how == end, "{} and {how:?} instead of {end:?}", received.len());
    };
    thread::scope(|scope| {
        for stream in STREAMS {
            for end in [("false", End::Fin), ("true", End::Reset)] {
                scope.spawn(move || slow(stream, end));
            }
        }
    });
}

/// The proxy has read and logged all bytes before the reader starts. Most of them are in the proxy's send buffer, which
/// a reset would discard.
#[test]
fn late_reader_receives_all_bytes_before_the_reset() {
    const BYTES: usize = 1_000_000;
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {BYTES}, "reset": true"#))]);
        let ((mut from, to), sent) = (run.endpoints(stream), noise(BYTES));
        from.write_all(&sent).unwrap();
        run.proxy.logged(&["fault injected", "fault=limit_data", &format!("bytes={BYTES}")]);
        assert!(read_all(&to) == (sent, End::Reset));
        assert_eq!(read_all(&from), (Vec::new(), End::Reset));
    }
}

#[test]
fn close_follows_delayed_data() {
    for stream in STREAMS {
        let latency = toxic("latency", stream, r#""latency": 400"#);
        let run = run(&[toxic("limit_data", stream, r#""bytes": 10, "reset": true"#), latency]);
        let (mut from, to) = run.endpoints(stream);
        let began = Instant::now();
        from.write_all(&noise(20)).unwrap();
        assert!(read_all(&to) == (noise(10), End::Reset));
        assert_on_time(began, millis(400));
    }
}

/// A limit of 0 behaves as in Toxiproxy: a direction without data is not closed.
#[test]
fn limit_0_closes_at_the_first_byte() {
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 0"#)]);
        let (mut from, mut to) = run.endpoints(stream);
        to.write_all(b"the other way").unwrap();
        read_exactly(&from, 13);
        assert!(is_silent(&to));
        from.write_all(b"x").unwrap();
        assert_eq!(read_all(&to), (Vec::new(), End::Fin));
    }
}

#[test]
fn connection_below_the_limit_is_unaffected() {
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 1001, "reset": true"#)]);
        let (endpoints, sent) = (run.endpoints(stream), noise(1000));
        assert!(transfer(&endpoints, &sent, 1460) == (sent, End::Fin));
        drop(endpoints);
        let closed = run.proxy.logged(&["connection closed"]);
        assert!(!closed.contains("toxic"), "{closed}");
    }
}

/// The window begins while the proxy waits for more, and then the bytes in flight use up the limit: nothing may be
/// read. They are due after the window, so the stream goes on. The sleeps place the writes before and within the
/// window.
#[test]
fn window_that_begins_during_a_wait_does_not_end_the_stream() {
    for stream in STREAMS {
        let latency = toxic("latency", stream, r#""latency": 2000"#);
        let limit = toxic_with("limit_data", stream, r#""bytes": 1"#, r#", "after": 500, "for": 1000"#);
        let run = run(&[latency, limit]);
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"before").unwrap();
        thread::sleep(millis(700));
        from.write_all(b"within").unwrap();
        assert_eq!(read_exactly(&to, 12), b"beforewithin");
    }
}
