//! Toxics that end a connection or delay its end: `limit_time`, `timeout`, `slow_close` and `reset_peer`. Also `noop`,
//! which does nothing. `limit_data` has its own file.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use super::{End, HOUR, Run, STREAMS, assert_on_time, is_silent, millis, read_all, read_exactly, run, toxic};
use crate::harness::{StreamEnd, accept, echoes, serve_echo};

/// Opens a connection, exchanges single bytes with the echo server, and expects a reset after at least one exchange.
fn assert_reset_under_traffic(run: &Run) {
    let mut client = run.proxy.connect();
    let mut echo = || client.write_all(b"x").and_then(|()| client.read_exact(&mut [0]));
    echo().unwrap();
    let error = (0..u64::MAX).find_map(|_| echo().err()).unwrap();
    // A write that consumes the reset makes the next one a broken pipe. A FIN would be an unexpected EOF.
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    run.proxy.logged(&["connection closed", "why=\"reset by a toxic\""]);
}

/// Starts a route with these toxics and an echo server as its upstream.
fn run_with_echo(toxics: &[String]) -> Run {
    let run = run(toxics);
    serve_echo(run.upstream.try_clone().unwrap());
    run
}

#[test]
fn limit_time_closes_a_working_connection() {
    for stream in ["upstream", "downstream", "both"] {
        let run = run(&[toxic("limit_time", stream, r#""time": 1000"#)]);
        let began = Instant::now();
        let (mut client, mut server) = run.pair();
        client.write_all(b"healthy").unwrap();
        server.write_all(&read_exactly(&server, 7)).unwrap();
        read_exactly(&client, 7);
        assert_eq!(read_all(&client), (Vec::new(), End::Fin));
        assert_on_time(began, millis(1000));
        assert_eq!(read_all(&server), (Vec::new(), End::Fin));
        drop((client, server));
        run.proxy.logged(&["connection closed", "bytes_up=7 bytes_down=7", "why=\"closed by a toxic\""]);
    }
}

#[test]
fn limit_time_resets_a_live_connection() {
    for stream in STREAMS {
        let run = run_with_echo(&[toxic("limit_time", stream, r#""time": 1000, "reset": true"#)]);
        let began = Instant::now();
        assert_reset_under_traffic(&run);
        assert_on_time(began, millis(1000));
    }
}

/// Both sides receive a FIN and none of the sent bytes.
#[test]
fn timeout_discards_data_then_closes() {
    for stream in STREAMS {
        let run = run(&[toxic("timeout", stream, r#""timeout": 800"#)]);
        let began = Instant::now();
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"discarded").unwrap();
        assert_eq!(read_all(&to), (Vec::new(), End::Fin));
        assert_on_time(began, millis(800));
        assert_eq!(read_all(&from), (Vec::new(), End::Fin));
        drop((from, to));
        run.proxy.logged(&["connection closed", "bytes_up=0 bytes_down=0", "why=\"closed by a toxic\""]);
    }
}

#[test]
fn timeout_0_discards_data_and_never_closes() {
    for stream in STREAMS {
        let run = run(&[toxic("timeout", stream, r#""timeout": 0"#)]);
        let (mut from, mut to) = run.endpoints(stream);
        // More than the kernel buffers hold, so the proxy must read and discard it.
        from.write_all(&vec![1; 64 << 20]).unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        assert!(is_silent(&to));
        to.write_all(b"the other way").unwrap();
        read_exactly(&from, 13);
    }
}

#[test]
fn slow_close_delays_only_the_fin() {
    for stream in STREAMS {
        let slowest = run(&[toxic("slow_close", stream, &format!(r#""delay": {HOUR}"#))]);
        let (mut from, to) = slowest.endpoints(stream);
        from.write_all(b"on time").unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        read_exactly(&to, 7);
        assert!(is_silent(&to));

        let slow = run(&[toxic("slow_close", stream, r#""delay": 400"#)]);
        let (mut from, to) = slow.endpoints(stream);
        from.write_all(b"on time").unwrap();
        let began = Instant::now();
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&to), (b"on time".to_vec(), End::Fin));
        assert_on_time(began, millis(400));
    }
}

#[test]
fn resets_both_sides_of_a_silent_connection() {
    for stream in ["upstream", "downstream", "both"] {
        for timeout in [0, 300] {
            let run = run(&[toxic("reset_peer", stream, &format!(r#""timeout": {timeout}"#))]);
            let began = Instant::now();
            assert_eq!(run.proxy.end_of_silent_client(), StreamEnd::Reset);
            assert_on_time(began, millis(timeout));
            assert_eq!(read_all(&accept(&run.upstream)), (Vec::new(), End::Reset));
            run.proxy.logged(&["connection closed", "why=\"reset by a toxic\""]);
            assert_eq!(run.proxy.lines(&["fault injected", "fault=reset_peer"]).len(), 1);
        }
    }
}

#[test]
fn resets_a_live_connection() {
    for stream in STREAMS {
        let run = run_with_echo(&[toxic("reset_peer", stream, r#""timeout": 1000"#)]);
        let began = Instant::now();
        assert_reset_under_traffic(&run);
        assert_on_time(began, millis(1000));
    }
}

/// Neither side reads, so the proxy is blocked on a write.
#[test]
fn resets_a_connection_with_full_buffers() {
    for stream in STREAMS {
        let run = run(&[toxic("reset_peer", stream, r#""timeout": 500"#)]);
        let (mut from, to) = run.endpoints(stream);
        while from.write_all(&[1; 65_536]).is_ok() {}
        assert_eq!(read_all(&to).1, End::Reset);
    }
}

/// One direction has sent its FIN and the other is open. The toxic ends the connection at its time nevertheless.
#[test]
fn ends_a_half_closed_connection() {
    for (ender, attributes, end) in [
        ("reset_peer", r#""timeout": 600"#, End::Reset),
        ("limit_time", r#""time": 600"#, End::Fin),
        ("timeout", r#""timeout": 600"#, End::Fin),
    ] {
        for stream in STREAMS {
            let run = run(&[toxic(ender, stream, attributes)]);
            let began = Instant::now();
            let (from, to) = run.endpoints(stream);
            from.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&from), (Vec::new(), end), "{ender} {stream}");
            assert_on_time(began, millis(600));
            drop((from, to));
            run.proxy.logged(&["connection closed", "by a toxic"]);
        }
    }
}

#[test]
fn noop_does_nothing_and_logs_nothing() {
    let run = run_with_echo(&[toxic("noop", "both", "")]);
    let client = run.proxy.connect();
    assert!(echoes(&client, b"unchanged"));
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), (Vec::new(), End::Fin));
    drop(client);
    let closed = run.proxy.logged(&["connection closed"]);
    assert!(!closed.contains("toxics=") && run.proxy.lines(&["fault injected"]).is_empty());
}
