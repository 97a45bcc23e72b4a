//! Drops and the latency of a route: the configured faults, and no others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{
    Proxy, Setup, StreamEnd, accept, has_no_connection, is_immediate, one_route, read_to_end, reset, serve_echo,
};

#[test]
fn close_drop_sends_fin_despite_unread_data() {
    let setup = one_route(r#""dropRate": 1.0"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    let mut client = proxy.connect();
    client.write_all(&[1; 100_000]).unwrap();
    assert_eq!(read_to_end(&client), StreamEnd::Fin(Vec::new()));
    drop(client);
    proxy.logged(&["fault injected", "conn=1 ", "fault=drop mode=close"]);
    proxy.logged(&["connection closed", "conn=1 ", "bytes_up=0 bytes_down=0", "why=dropped"]);
    assert!(has_no_connection(&upstream));
}

#[test]
fn reset_drop_sends_rst() {
    let setup = one_route(r#""dropRate": 1.0, "dropMode": "reset""#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    assert_eq!(proxy.end_of_silent_client(), StreamEnd::Reset);
    proxy.logged(&["fault injected", "fault=drop mode=reset"]);
    proxy.logged(&["connection closed", "why=dropped"]);
    assert!(has_no_connection(&upstream));
}

#[test]
fn hang_drop_is_silent_until_client_leaves() {
    let setup = one_route(r#""dropRate": 1.0, "dropMode": "hang""#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    let mut client = proxy.connect();
    // More than the kernel buffers hold, so the proxy must read and discard it.
    client.write_all(&vec![1; 32 << 20]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    proxy.logged(&["fault injected", "fault=drop mode=hang"]);
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silence = client.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    assert!(proxy.lines(&["connection closed"]).is_empty(), "it only half-closed");
    drop(client);
    proxy.logged(&["connection closed", "conn=1 ", "why=dropped"]);

    reset(proxy.connect());
    proxy.logged(&["connection closed", "conn=2 ", "why=dropped"]);
    assert!(has_no_connection(&upstream));
}

/// Opens `count` connections to `port` and returns the numbers of those that are dropped.
fn dropped(proxy: &Proxy, port: u16, count: usize) -> Vec<usize> {
    let is_dropped = |_: &usize| read_to_end(&proxy.connect_to(port)) == StreamEnd::Fin(Vec::new());
    (1..=count).filter(is_dropped).collect()
}

/// Starts the proxy with an upstream that greets each connection with one byte. A connection without it was dropped.
fn start_with_greeting(setup: Setup) -> Proxy {
    let upstream = setup.upstream();
    thread::spawn(move || {
        for mut stream in upstream.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"!");
        }
    });
    setup.start()
}

/// 1,000 connections at a rate of 0.3 have a mean of 300 drops and a standard deviation of sqrt(1000 * 0.3 * 0.7) =
/// 14.5. The bound is five standard deviations, 73. The seed is fixed, so the test passes always or never.
#[test]
fn drop_rate_matches_the_configured_rate() {
    let proxy = start_with_greeting(one_route(r#""dropRate": 0.3"#).args(["--seed", "1"]));
    let drops = dropped(&proxy, 8180, 1000).len();
    assert!(drops.abs_diff(300) < 73, "{drops}");
}

#[test]
fn seed_drops_the_same_connections_despite_other_routes() {
    let half = r#""dropRate": 0.5"#;
    let alone = start_with_greeting(one_route(half).args(["--seed", "7"]));
    let among = Setup::new().route(8170, 9090, half).route(8180, 9090, half).route(8190, 9090, half);
    let among = start_with_greeting(among.args(["--seed", "7"]));
    let elsewhere = Setup::new().route(8170, 9090, r#""dropRate": 0.5, "name": "8180""#);
    let elsewhere = start_with_greeting(elsewhere.args(["--seed", "7"]));
    let other_seed = start_with_greeting(one_route(half).args(["--seed", "8"]));

    let first = dropped(&alone, 8180, 64);
    // Connections of other routes must not affect this route.
    assert_ne!(dropped(&among, 8170, 64), first);
    assert_eq!(dropped(&among, 8180, 64), first);
    assert_eq!(dropped(&elsewhere, 8170, 64), first, "draws depend on the route's name, not on its port");
    assert_ne!(dropped(&other_seed, 8180, 64), first);
}

#[test]
fn logged_seed_reproduces_the_run() {
    let half = r#""dropRate": 0.5"#;
    let drawn = start_with_greeting(one_route(half));
    let line = drawn.logged(&["msg=starting"]);
    let seed = line.split("seed=").nth(1).unwrap().split(' ').next().unwrap();
    let given = start_with_greeting(one_route(half).args(["--seed", seed]));
    assert_eq!(dropped(&drawn, 8180, 64), dropped(&given, 8180, 64));
}

/// The client's clock starts before the accept, so the measured time is never shorter than the delay.
#[test]
fn neither_direction_is_early() {
    const LATENCY: Duration = Duration::from_millis(60);
    let setup = one_route(r#""latencyMs": 60"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    for number in 1..=20 {
        let began = Instant::now();
        let mut client = proxy.connect();
        client.write_all(b"c").unwrap();
        let mut server = accept(&upstream);
        server.write_all(b"s").unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert!(byte == *b"s" && began.elapsed() >= LATENCY);
        server.read_exact(&mut byte).unwrap();
        assert!(byte == *b"c" && began.elapsed() >= LATENCY);
        proxy.logged(&["fault injected", &format!("conn={number} "), "fault=latency latency_ms=60"]);
    }
}

#[test]
fn delays_of_connections_overlap() {
    let setup = one_route(r#""latencyMs": 1000"#);
    serve_echo(setup.upstream());
    let proxy = setup.start();
    let began = Instant::now();
    let clients: Vec<_> = (0..50).map(|_| proxy.connect()).collect();
    for mut client in &clients {
        client.write_all(b"x").unwrap();
    }
    for mut client in &clients {
        client.read_exact(&mut [0]).unwrap();
    }
    // In sequence, the delays would take 50 s.
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[test]
fn client_leaving_during_delay_frees_everything() {
    let silent: fn(TcpStream) = drop;
    assert!(is_immediate(|| time_to_free_after_leaving(silent, "client left", &StreamEnd::Fin(Vec::new()))));
    let resets = |mut client: TcpStream| {
        client.write_all(b"an abandoned request").unwrap();
        reset(client);
    };
    assert!(is_immediate(|| time_to_free_after_leaving(resets, "client reset", &StreamEnd::Reset)));
}

/// The time from the client's leaving until it is logged, the upstream sees `expected`, and the proxy has stopped.
fn time_to_free_after_leaving(leave: fn(TcpStream), why: &str, expected: &StreamEnd) -> Duration {
    let setup = one_route(r#""latencyMs": 3600000"#);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let client = proxy.connect();
    let server = accept(&upstream);
    let began = Instant::now();
    leave(client);
    proxy.logged(&["connection closed", "conn=1 ", &format!("why={why:?}")]);
    assert_eq!(read_to_end(&server), *expected);
    assert_eq!(proxy.stop(), 0);
    began.elapsed()
}

/// Both delays end at the same time. The direction that closes first must not look like a hang-up to the other.
#[test]
fn both_sides_may_close_during_the_delay() {
    let setup = one_route(r#""latencyMs": 50"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    let pairs: Vec<_> = (0..100).map(|_| (proxy.connect(), accept(&upstream))).collect();
    for (mut client, mut server) in pairs.iter().map(|(client, server)| (client, server)) {
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        server.write_all(b"answer").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
    }
    let (mut questions, mut answers) = (0, 0);
    for (client, server) in &pairs {
        questions += usize::from(read_to_end(server) == StreamEnd::Fin(b"question".to_vec()));
        answers += usize::from(read_to_end(client) == StreamEnd::Fin(b"answer".to_vec()));
    }
    assert_eq!((questions, answers), (100, 100));
}

/// As a `PostgreSQL` client does that cancels a query: it does not wait for an answer.
#[test]
fn delivers_data_of_a_client_that_leaves_during_the_delay() {
    let setup = one_route(r#""latencyMs": 400"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    for length in [1, 16, 4 << 20] {
        let bytes = vec![7; length];
        thread::scope(|scope| {
            let began = Instant::now();
            let client = proxy.connect();
            scope.spawn(|| {
                let mut client = client;
                client.write_all(&bytes).unwrap();
            });
            assert_eq!(read_to_end(&accept(&upstream)), StreamEnd::Fin(bytes.clone()), "{length}");
            assert!(began.elapsed() >= Duration::from_millis(400));
        });
    }
}

/// While a client closes, its socket is already gone from the kernel's table and its RST has not arrived yet. This must
/// not look like a close. When the bug was found it happened once in 78 rounds, so 400 rounds miss it with a chance of
/// 0.6 %.
#[test]
fn reset_after_half_close_during_delay_is_a_reset() {
    let setup = one_route(r#""latencyMs": 3600000"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    for round in 0..400 {
        let (client, server) = (proxy.connect(), accept(&upstream));
        client.shutdown(Shutdown::Write).unwrap();
        reset(client);
        assert_eq!(read_to_end(&server), StreamEnd::Reset, "round {round}");
    }
}

#[test]
fn half_close_during_delay_keeps_the_connection() {
    let setup = one_route(r#""latencyMs": 400"#);
    let upstream = setup.upstream();
    let proxy = setup.start();
    for request in [&b"request"[..], b""] {
        let mut client = proxy.connect();
        client.write_all(request).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut server = accept(&upstream);
        assert_eq!(read_to_end(&server), StreamEnd::Fin(request.to_vec()));
        server.write_all(b"answer").unwrap();
        drop(server);
        assert_eq!(read_to_end(&client), StreamEnd::Fin(b"answer".to_vec()));
    }
}
