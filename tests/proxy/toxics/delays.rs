//! Toxics that delay bytes and lose none: latency, bandwidth, packet loss, stall.
//!
//! The clock of a test starts before it sends, so the measured time is never shorter than the delay.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{
    End, HOUR, STREAMS, TOLERANCE, assert_on_time, is_silent, millis, noise, read_exactly, run, start, toxic, transfer,
};
use crate::harness::one_route;

fn latency(stream: &str, millis: &str) -> String {
    toxic("latency", stream, &format!(r#""latency": {millis}"#))
}

/// Sends a byte and waits for it. Returns the time before the send.
fn send_a_byte((from, to): &(TcpStream, TcpStream)) -> Instant {
    let (began, mut from) = (Instant::now(), from);
    from.write_all(b"x").unwrap();
    read_exactly(to, 1);
    began
}

#[test]
fn latency_delays_only_its_direction() {
    for (stream, other) in [("upstream", "downstream"), ("downstream", "upstream")] {
        let there = run(&[latency(stream, "300")]);
        assert_on_time(send_a_byte(&there.endpoints(stream)), millis(300));
        let back = run(&[latency(stream, HOUR)]);
        send_a_byte(&back.endpoints(other));
    }
}

#[test]
fn latency_in_both_directions_adds_up() {
    let run = run(&[latency("both", "200")]);
    let (mut client, mut server) = run.pair();
    let began = Instant::now();
    client.write_all(b"ask").unwrap();
    server.write_all(&read_exactly(&server, 3)).unwrap();
    read_exactly(&client, 3);
    assert_on_time(began, millis(400));
}

#[test]
fn two_latency_toxics_add_up() {
    for stream in STREAMS {
        let first = latency(stream, "150");
        let second = first.replace(r#""type""#, r#""name": "the other", "type""#).replace("150", "250");
        let run = run(&[first, second]);
        assert_on_time(send_a_byte(&run.endpoints(stream)), millis(400));
    }
}

/// Chunks have at most 64 KiB. Without overlap, the delays of 128 or more chunks would take 25 s.
#[test]
fn delays_overlap_and_keep_the_order() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, r#""latency": 200, "jitter": 200"#)]);
        let (endpoints, bytes) = (run.endpoints(stream), noise(8 << 20));
        let began = Instant::now();
        assert!(transfer(&endpoints, &bytes, 65_536) == (bytes, End::Fin));
        assert!(began.elapsed() < millis(400) + TOLERANCE);
    }
}

/// Checks each byte, including those that arrive while others are held.
#[test]
fn no_byte_is_early() {
    const LATENCY: Duration = Duration::from_millis(150);
    for stream in STREAMS {
        let run = run(&[latency(stream, "150")]);
        let (from, mut to) = run.endpoints(stream);
        let (sent, received) = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let send = |_| (Instant::now(), (&from).write_all(b"x").unwrap()).0;
                (0..1000).map(send).collect::<Vec<_>>()
            });
            let received: Vec<_> = (0..1000).map(|_| (to.read_exact(&mut [0]).unwrap(), Instant::now()).1).collect();
            (sender.join().unwrap(), received)
        });
        assert!(sent.iter().zip(received).all(|(sent, received)| received - *sent >= LATENCY));
    }
}

/// 150 KB at 100 KB/s take 1.5 s. A rate in kilobits would take eight times as long.
#[test]
fn bandwidth_limits_the_rate() {
    for stream in STREAMS {
        let run = run(&[toxic("bandwidth", stream, r#""rate": 100"#)]);
        let (endpoints, bytes) = (run.endpoints(stream), noise(150_000));
        let began = Instant::now();
        assert!(transfer(&endpoints, &bytes, 65_536) == (bytes, End::Fin));
        assert_on_time(began, millis(1500));
    }
}

#[test]
fn burst_is_not_limited() {
    let run = run(&[toxic("bandwidth", "downstream", r#""rate": 1, "burst": 100000"#)]);
    let bytes = noise(100_000);
    // Without the burst it would take 100 s.
    assert!(transfer(&run.endpoints("downstream"), &bytes, 65_536) == (bytes, End::Fin));
}

/// Each connection carries half of the bytes, which alone would take half of the time. The second connection opens
/// later, so the shared bucket must not count time from the start of each connection.
#[test]
fn shared_bandwidth_limits_all_connections_together() {
    for stream in STREAMS {
        let run = run(&[toxic("bandwidth", stream, r#""rate": 100, "shared": true"#)]);
        let first = run.endpoints(stream);
        assert!(is_silent(&first.1));
        let (pairs, bytes) = ([first, run.endpoints(stream)], noise(75_000));
        let began = Instant::now();
        thread::scope(|scope| {
            for pair in &pairs {
                scope.spawn(|| assert!(transfer(pair, &bytes, 65_536).0 == bytes));
            }
        });
        assert_on_time(began, millis(1500));
    }
}

#[test]
fn bandwidth_0_blocks_data_and_fin() {
    for stream in STREAMS {
        let run = run(&[toxic("bandwidth", stream, r#""rate": 0"#)]);
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"x").unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        assert!(is_silent(&to));
    }
}

/// 100 segments at 0.1 have a mean of ten losses and a standard deviation of three. The seed is fixed.
#[test]
fn lost_segments_arrive_late_and_intact() {
    for stream in STREAMS {
        let run = run(&[toxic("packet_loss", stream, r#""loss_rate": 0.1, "retransmit": 100"#)]);
        let (endpoints, bytes) = (run.endpoints(stream), noise(144_800));
        let began = Instant::now();
        assert!(transfer(&endpoints, &bytes, 1448) == (bytes, End::Fin));
        assert!(began.elapsed() >= millis(100));
        run.proxy.logged(&["fault injected", "fault=packet_loss", "times=4"]);
    }
}

#[test]
fn loss_rate_1_blocks_all_data() {
    for stream in STREAMS {
        let run = run(&[toxic("packet_loss", stream, r#""loss_rate": 1"#)]);
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"x").unwrap();
        assert!(is_silent(&to));
    }
}

/// The stall starts when the proxy accepts the connection, which is after the client's clock started.
#[test]
fn stall_holds_data_for_its_duration() {
    for stream in STREAMS {
        let run = run(&[toxic("stall", stream, r#""duration": 600"#)]);
        let began = Instant::now();
        let endpoints = run.endpoints(stream);
        let bytes = noise(4 << 20);
        assert!(transfer(&endpoints, &bytes, 65_536) == (bytes, End::Fin));
        assert_on_time(began, millis(600));

        let (began, endpoints) = (Instant::now(), run.endpoints(stream));
        send_a_byte(&endpoints);
        assert_on_time(began, millis(600));
        send_a_byte(&endpoints);
        assert_eq!(run.proxy.lines(&["fault injected", "conn=2 "]).len(), 1);
    }
}

#[test]
fn stall_without_duration_never_ends() {
    for stream in STREAMS {
        let run = run(&[toxic("stall", stream, "")]);
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"x").unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        assert!(is_silent(&to));
    }
}

/// Profile 3g has 150 ms ± 50 ms per direction, 96 KB/s up and 200 KB/s down. A round trip takes at least 200 ms, and
/// 100 KB down take at least 500 ms plus 100 ms of latency. Each loss of a segment adds 500 ms.
#[test]
fn profile_3g_has_its_latency_and_bandwidth() {
    let run = start(one_route(r#""profile": "3g""#).args(["--seed", "7"]));
    let (mut client, mut server) = run.pair();
    let began = Instant::now();
    client.write_all(b"x").unwrap();
    server.write_all(&read_exactly(&server, 1)).unwrap();
    read_exactly(&client, 1);
    assert_on_time(began, millis(200));

    let began = Instant::now();
    let bytes = noise(100_000);
    assert!(transfer(&(server, client), &bytes, 65_536) == (bytes, End::Fin));
    assert_on_time(began, millis(600));
    run.proxy.logged(&["fault injected", "toxic=3g_latency", "stream=upstream"]);
    run.proxy.logged(&["fault injected", "toxic=3g_bandwidth_downstream"]);
}

/// A proxy that was stopped for 9 s catches up: 9,100 bytes at 1 KB/s take 9.1 s. If the bytes that waited meanwhile
/// counted as received after the stop, they would take 18 s, which is beyond the tolerance.
#[test]
fn bandwidth_catches_up_after_the_proxy_was_stopped() {
    let run = run(&[toxic("bandwidth", "downstream", r#""rate": 1"#)]);
    let (client, mut server) = run.pair();
    let began = Instant::now();
    server.write_all(&noise(9100)).unwrap();
    read_exactly(&client, 100);
    run.proxy.signal(Signal::SIGSTOP);
    thread::sleep(Duration::from_secs(9));
    run.proxy.signal(Signal::SIGCONT);
    read_exactly(&client, 9000);
    assert_on_time(began, millis(9100));
}
