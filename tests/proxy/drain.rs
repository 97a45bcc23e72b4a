//! The drain after SIGINT or SIGTERM: the proxy refuses new connections, serves live ones to their end, and cuts them
//! at the deadline or at a second signal.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{StreamEnd, accept, echoes, forwarding_pair, one_route, read_to_end, serve_echo};

#[test]
fn idle_proxy_exits_at_once() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut proxy = one_route("").start();
        proxy.signal(signal);
        assert_eq!(proxy.wait(), 0);
        proxy.logged(&["msg=drained"]);
    }
}

#[test]
fn connections_in_flight_complete() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let mut proxy = setup.start();
    let client = proxy.connect();
    assert!(echoes(&client, b"before"));
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&["draining, no new connections", "left=1"]);
    assert!(echoes(&client, b"after"));
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), StreamEnd::Fin(Vec::new()));
    assert_eq!(proxy.wait(), 0);
}

/// This takes a fraction of a millisecond. A busy machine may not schedule the proxy for more than the promised 100 ms,
/// so the best of a few runs counts. If it were late by design, all runs would be.
#[test]
fn refuses_new_connections_within_100_ms() {
    let best = (0..5).map(|_| {
        let setup = one_route("");
        let _upstream = setup.upstream();
        let proxy = setup.start();
        let _in_flight = proxy.connect();
        proxy.signal(Signal::SIGTERM);
        let signalled = Instant::now();
        while TcpStream::connect(proxy.addr(8180)).is_ok() {}
        signalled.elapsed()
    });
    let best = best.min().unwrap();
    assert!(best < Duration::from_millis(100), "{best:?}");
}

#[test]
fn serves_connections_in_delay_and_backlog() {
    let setup = one_route(r#""latencyMs": 500"#).args(["--max-connections", "2"]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let clients: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    proxy.logged(&["connection opened", "conn=2 "]);
    proxy.signal(Signal::SIGINT);
    for mut client in &clients {
        client.write_all(b"request").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for _ in &clients {
        let mut server = accept(&upstream);
        assert_eq!(read_to_end(&server), StreamEnd::Fin(b"request".to_vec()));
        server.write_all(b"reply").unwrap();
    }
    for client in &clients {
        assert_eq!(read_to_end(client), StreamEnd::Fin(b"reply".to_vec()));
    }
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn deadline_cuts_and_counts_live_connections() {
    let setup = one_route("").args(["--drain-timeout", "0.3"]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (clients, servers): (Vec<_>, Vec<_>) = (0..3).map(|_| forwarding_pair(&proxy, &upstream)).unzip();
    // One connection is idle, one half-closed, and one has full buffers.
    clients[1].shutdown(Shutdown::Write).unwrap();
    clients[2].set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while (&clients[2]).write(&[1; 65_536]).is_ok() {}
    assert_eq!(proxy.stop(), 1);
    proxy.logged(&["drain cut short", "cut=3"]);
    assert_eq!(proxy.lines(&["connection closed", "why=cut"]).len(), 3);
    // A FIN would look like the end of a reply.
    assert!(clients.iter().all(|client| read_to_end(client) == StreamEnd::Reset));
    assert_eq!(read_to_end(&servers[0]), StreamEnd::Reset);
}

/// Connections that the drain accepts over the cap wait for a permit. They count as in flight.
#[test]
fn deadline_cuts_and_counts_overflow_connections() {
    for timeout in ["0.2", "0"] {
        let setup = one_route("").args(["--max-connections", "1", "--drain-timeout", timeout]);
        let upstream = setup.upstream();
        let mut proxy = setup.start();
        let (first, _server) = forwarding_pair(&proxy, &upstream);
        let (second, third) = (proxy.connect(), proxy.connect());
        assert_eq!(proxy.stop(), 1);
        proxy.logged(&["draining, no new connections", "left=3"]);
        proxy.logged(&["drain cut short", "cut=3"]);
        for message in ["connection opened", "connection closed"] {
            assert_eq!(proxy.lines(&[message]).len(), 3, "{message}");
        }
        assert!([first, second, third].iter().all(|client| read_to_end(client) == StreamEnd::Reset));
    }
}

/// The client is closed in both directions, and its data waits for an upstream that does not read.
#[test]
fn cut_resets_the_upstream_after_the_client_is_gone() {
    let setup = one_route("").args(["--drain-timeout", "0.3"]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (client, server) = forwarding_pair(&proxy, &upstream);
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), StreamEnd::Fin(Vec::new()));
    client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while (&client).write(&[1; 65_536]).is_ok() {}
    drop(client);
    assert_eq!(proxy.stop(), 1);
    proxy.logged(&["connection closed", "why=cut"]);
    assert_eq!(read_to_end(&server), StreamEnd::Reset);
}

#[test]
fn does_not_wait_for_an_unneeded_deadline() {
    let mut proxy = one_route("").args(["--drain-timeout", "3600"]).start();
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn second_signal_cuts_and_sets_the_exit_code() {
    // The same signal within 500 ms would be a copy.
    for (first, second, code) in [(Signal::SIGTERM, Signal::SIGINT, 130), (Signal::SIGINT, Signal::SIGTERM, 143)] {
        for keys in ["", r#""latencyMs": 3600000"#, r#""dropRate": 1.0, "dropMode": "hang""#] {
            let setup = one_route(keys);
            let _upstream = setup.upstream();
            let mut proxy = setup.start();
            let client = proxy.connect();
            proxy.logged(&["connection opened"]);
            proxy.signal(first);
            proxy.logged(&["draining"]);
            proxy.signal(second);
            assert_eq!(proxy.wait(), code);
            assert_eq!(read_to_end(&client), StreamEnd::Reset, "{keys}");
        }
    }
}

#[test]
fn logs_the_number_of_live_connections() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let mut client = proxy.connect();
    let server = accept(&upstream);
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&["still draining", "left=1", "hint=\"a second Ctrl-C (SIGINT) or SIGTERM cuts them\""]);
    let from = client.local_addr().unwrap();
    proxy.logged(&["msg=\"still open\" route=8180 conn=1", &format!("client={from}"), "age_us="]);
    assert_eq!(proxy.lines(&["more="]).len(), 0);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn lists_the_connections_that_are_open_for_the_longest_time() {
    let setup = one_route("").args(["--log-format", "json"]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let pairs: Vec<_> = (0..42).map(|_| forwarding_pair(&proxy, &upstream)).collect();
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&[r#""msg":"still open","more":37"#]);
    let listed = proxy.lines(&[r#""msg":"still open","route":"8180""#]);
    assert_eq!(listed.len(), 5);
    for (line, number) in listed.iter().zip(1..) {
        assert!(line.contains(&format!(r#""conn":{number},"#)), "{line}");
    }
    drop(pairs);
    assert_eq!(proxy.wait(), 0);
}

/// A shell starts a background job of a script with SIGINT ignored, and nohup ignores SIGHUP too.
#[test]
fn sigint_works_in_a_background_job() {
    let mut proxy = one_route("").args(["--quiet"]).start_from_a_script();
    proxy.signal(Signal::SIGINT);
    assert_eq!(proxy.wait(), 0);
}
