//! Selectors: toxics act on connections by number, client and toxicity, within a time window. Other connections are not
//! affected.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Instant;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::{
    End, HOUR, Run, STREAMS, assert_on_time, is_silent, millis, read_all, read_exactly, route, run, start, toxic_with,
    transfer,
};
use crate::harness::{StreamEnd, echoes, serve_echo, with_timeouts};

/// Opens `count` connections and returns the numbers of those that a toxic corrupts.
fn corrupted(stream: &str, keys: &str, seed: u64, count: usize) -> Vec<usize> {
    let corrupt = toxic_with("corrupt", stream, r#""rate": 1"#, keys);
    let run = start(route(&[corrupt]).args(["--seed", &seed.to_string()]));
    (1..=count).filter(|_| is_corrupted(&run, stream)).collect()
}

fn is_corrupted(run: &Run, stream: &str) -> bool {
    let (mut from, to) = run.endpoints(stream);
    from.write_all(&[0; 100]).unwrap();
    let received = read_exactly(&to, 100);
    let changed = received.iter().filter(|byte| **byte != 0).count();
    assert!(changed == 0 || changed == 100, "{changed}");
    changed > 0
}

#[test]
fn connections_are_numbered_from_1() {
    for stream in STREAMS {
        for (connections, hit) in
            [("2", vec![2]), ("*/2", vec![2, 4, 6]), ("1-2,5", vec![1, 2, 5]), ("3-", vec![3, 4, 5, 6])]
        {
            let keys = format!(r#", "connections": "{connections}""#);
            assert_eq!(corrupted(stream, &keys, 7, 6), hit, "{connections}");
        }
    }
}

/// 64 connections at 0.5 have a mean of 32 and a standard deviation of 4. The bound is six standard deviations, 24. The
/// seeds are fixed.
#[test]
fn toxicity_selects_the_same_connections_in_every_run() {
    for stream in STREAMS {
        let hit = |seed| corrupted(stream, r#", "toxicity": 0.5"#, seed, 64);
        let first = hit(7);
        assert!(first.len().abs_diff(32) < 24, "{first:?}");
        assert_eq!(hit(7), first);
        assert_ne!(hit(8), first);
    }
}

#[test]
fn toxicity_is_drawn_once_for_both_directions() {
    let run = run(&[toxic_with("corrupt", "both", r#""rate": 1"#, r#", "toxicity": 0.5"#)]);
    let hits = (0..64).filter(|_| {
        let (mut client, mut server) = run.pair();
        client.write_all(&[0]).unwrap();
        server.write_all(&[0]).unwrap();
        let (up, down) = (read_exactly(&server, 1), read_exactly(&client, 1));
        assert_eq!(up == [0], down == [0]);
        up != [0]
    });
    assert!((1..64).contains(&hits.count()));
}

#[test]
fn other_connections_of_the_route_are_unaffected() {
    let run = run(&[toxic_with("reset_peer", "both", r#""timeout": 0"#, r#", "connections": "2""#)]);
    serve_echo(run.upstream.try_clone().unwrap());
    let first = run.proxy.connect();
    assert!(echoes(&first, b"before"));
    assert_eq!(run.proxy.end_of_silent_client(), StreamEnd::Reset);
    assert!(echoes(&first, b"after") && echoes(&run.proxy.connect(), b"the third"));
    run.proxy.logged(&["connection closed", "conn=2 "]);
    assert_eq!(run.proxy.lines(&["fault injected"]).len(), 1);
}

/// Connects to the proxy from this client address.
fn connect_from(client: [u8; 4], proxy: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::from(client), 0)).unwrap();
    connect(&socket, &proxy).unwrap();
    with_timeouts(socket.into())
}

#[test]
fn selects_clients_by_address() {
    let clients = r#", "clients": ["127.0.0.2", "127.0.4.0/23"]"#;
    let run = run(&[toxic_with("corrupt", "downstream", r#""rate": 1"#, clients)]);
    let hit = |client: [u8; 4]| {
        let client = connect_from(client, run.proxy.addr(8180));
        crate::harness::accept(&run.upstream).write_all(&[0]).unwrap();
        read_exactly(&client, 1) != [0]
    };
    assert!([[127, 0, 0, 2], [127, 0, 4, 0], [127, 0, 5, 255]].into_iter().all(hit));
    assert!(![[127, 0, 0, 1], [127, 0, 0, 3], [127, 0, 3, 255], [127, 0, 6, 0]].into_iter().any(hit));
}

/// All bytes pass until the toxic starts. Then its limit of ten bytes counts.
#[test]
fn toxic_starts_after_its_delay() {
    for stream in STREAMS {
        let run = run(&[toxic_with("limit_data", stream, r#""bytes": 10"#, r#", "after": 400"#)]);
        let began = Instant::now();
        let (mut from, mut to) = run.endpoints(stream);
        let mut passed = 0;
        while from.write_all(b"x").is_ok() && to.read(&mut [0]).unwrap() == 1 {
            passed += 1;
        }
        assert_on_time(began, millis(400));
        assert!(passed > 10, "{passed}");
    }
}

#[test]
fn timeout_counts_from_the_start_of_the_window() {
    for stream in STREAMS {
        let run = run(&[toxic_with("reset_peer", stream, r#""timeout": 200"#, r#", "after": 300"#)]);
        let (began, pair) = (Instant::now(), run.pair());
        assert_eq!(read_all(&pair.0), (Vec::new(), End::Reset));
        assert_on_time(began, millis(500));
    }
}

/// A stream does not go on after a hole.
#[test]
fn timeout_closes_a_connection_that_has_lost_data_when_its_window_ends() {
    for stream in STREAMS {
        let run = run(&[toxic_with("timeout", stream, "", r#", "for": 500"#)]);
        let began = Instant::now();
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"lost").unwrap();
        assert_eq!(read_all(&to), (Vec::new(), End::Fin));
        assert_on_time(began, millis(500));
        drop((from, to));
        run.proxy.logged(&["connection closed", "why=\"closed by a toxic\""]);
    }
}

#[test]
fn timeout_leaves_a_connection_that_has_lost_nothing_when_its_window_ends() {
    for stream in STREAMS {
        let run = run(&[toxic_with("timeout", stream, "", r#", "for": 200"#)]);
        let began = Instant::now();
        let endpoints = run.endpoints(stream);
        while began.elapsed() < millis(200) {
            assert!(is_silent(&endpoints.1));
        }
        assert_eq!(transfer(&endpoints, b"late enough", 4), (b"late enough".to_vec(), End::Fin));
    }
}

#[test]
fn stall_releases_data_when_its_window_ends() {
    for stream in STREAMS {
        let run = run(&[toxic_with("stall", stream, "", r#", "for": 400"#)]);
        let began = Instant::now();
        let (mut from, to) = run.endpoints(stream);
        from.write_all(b"patience").unwrap();
        assert_eq!(read_exactly(&to, 8), b"patience");
        assert_on_time(began, millis(400));
    }
}

/// A delay of an hour whose window starts in an hour, and one whose window of 1 ms is over before data is sent.
#[test]
fn toxic_does_nothing_outside_its_window() {
    for stream in STREAMS {
        for window in [format!(r#", "after": {HOUR}"#), r#", "for": 1"#.to_owned()] {
            let run = run(&[toxic_with("latency", stream, &format!(r#""latency": {HOUR}"#), &window)]);
            let (mut from, to) = run.endpoints(stream);
            assert!(is_silent(&to));
            from.write_all(b"now").unwrap();
            assert_eq!(read_exactly(&to, 3), b"now");
            assert!(run.proxy.lines(&["fault injected"]).is_empty());
        }
    }
}
