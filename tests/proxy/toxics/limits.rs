//! `limit_data`: exactly so many bytes, and then the end that was asked for.

use std::io::Write;
use std::thread;
use std::time::Instant;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{End, STREAMS, all_of, assert_on_time, exactly, is_silent, millis, noise, pass, run, toxic};

#[test]
fn exactly_so_many_bytes_pass_and_then_the_end() {
    for (reset, end) in [("false", End::Fin), ("true", End::Reset)] {
        for stream in STREAMS {
            for (bytes, at_once) in [(1, 1), (1000, 1), (1000, 1460), (1000, 1000), (100_000, 65_536)] {
                let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {bytes}, "reset": {reset}"#))]);
                let (sent, ends) = (noise(300_000), run.ends(stream));
                let (came, how) = pass(&ends, &sent, at_once);
                assert!(came == sent[..bytes], "{} of {bytes}", came.len());
                assert_eq!(how, end);
                drop(ends);
                let (up, down) = if stream == "upstream" { (bytes, 0) } else { (0, bytes) };
                run.proxy.logged(&["connection closed", &format!("bytes_up={up} bytes_down={down}"), "by a toxic"]);
            }
        }
    }
}

/// The reader takes 64 KiB, which is what its kernel holds for it, and then nothing for half a second: longer in all than
/// the proxy lingers for one that takes nothing. A pause is no condition to be awaited; it is what makes a reader slow.
#[test]
fn what_may_pass_arrives_before_the_end_also_where_the_reader_is_slow() {
    const BYTES: usize = 1_000_000;
    let slow = |stream: &str, (reset, end): (&str, End)| {
        let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {BYTES}, "reset": {reset}"#))]);
        let ((mut from, to), sent) = (run.ends(stream), noise(BYTES));
        set_socket_recv_buffer_size(&to, 65_536).unwrap();
        from.write_all(&sent).unwrap();
        let mut came = Vec::new();
        while came.len() + 65_536 < BYTES {
            came.extend(exactly(&to, 65_536));
            thread::sleep(millis(500));
        }
        let (rest, how) = all_of(&to);
        came.extend(rest);
        assert!(came == sent && how == end, "{} and {how:?} instead of {end:?}", came.len());
    };
    thread::scope(|scope| {
        for stream in STREAMS {
            for end in [("false", End::Fin), ("true", End::Reset)] {
                scope.spawn(move || slow(stream, end));
            }
        }
    });
}

/// The proxy has read all that may pass and said so before the reader begins: most of it is still in the proxy's kernel,
/// which a reset would discard.
#[test]
fn what_may_pass_arrives_before_the_reset_also_where_the_reader_is_late() {
    const BYTES: usize = 1_000_000;
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {BYTES}, "reset": true"#))]);
        let ((mut from, to), sent) = (run.ends(stream), noise(BYTES));
        from.write_all(&sent).unwrap();
        run.proxy.logged(&["fault injected", "fault=limit_data", &format!("bytes={BYTES}")]);
        assert!(all_of(&to) == (sent, End::Reset));
        assert_eq!(all_of(&from), (Vec::new(), End::Reset));
    }
}

#[test]
fn the_end_waits_behind_what_is_delayed() {
    for stream in STREAMS {
        let latency = toxic("latency", stream, r#""latency": 400"#);
        let run = run(&[toxic("limit_data", stream, r#""bytes": 10, "reset": true"#), latency]);
        let (mut from, to) = run.ends(stream);
        let began = Instant::now();
        from.write_all(&noise(20)).unwrap();
        assert!(all_of(&to) == (noise(10), End::Reset));
        assert_on_time(began, millis(400));
    }
}

/// As in Toxiproxy.
#[test]
fn a_limit_of_0_lets_those_alone_who_send_nothing() {
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 0"#)]);
        let (mut from, mut to) = run.ends(stream);
        to.write_all(b"the other way").unwrap();
        exactly(&from, 13);
        assert!(is_silent(&to));
        from.write_all(b"x").unwrap();
        assert_eq!(all_of(&to), (Vec::new(), End::Fin));
    }
}

#[test]
fn below_its_limit_a_connection_is_as_any_other() {
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 1001, "reset": true"#)]);
        let (ends, sent) = (run.ends(stream), noise(1000));
        assert!(pass(&ends, &sent, 1460) == (sent, End::Fin));
        drop(ends);
        let closed = run.proxy.logged(&["connection closed"]);
        assert!(!closed.contains("toxic"), "{closed}");
    }
}
