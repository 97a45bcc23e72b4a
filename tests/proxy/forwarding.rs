//! Forwarding without faults: data, half-closes, resets, and failed dials.

use std::hash::Hasher;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::harness::{
    Setup, StreamEnd, TIMEOUT, accept, echoes, forwarding_pair, has_no_connection, one_route, read_to_end, reset,
    serve_echo,
};

#[test]
fn each_port_connects_to_its_own_upstream() {
    let setup = Setup::new().route(8180, 3000, "").route(8181, 3001, "").route(8182, 3002, "");
    let upstreams = [3000, 3001, 3002].map(|port| TcpListener::bind((setup.ip(), port)).unwrap());
    let proxy = setup.start();
    for (port, upstream) in [8180, 8181, 8182].into_iter().zip(&upstreams) {
        let client = proxy.connect_to(port);
        accept(upstream).write_all(&port.to_be_bytes()).unwrap();
        assert_eq!(read_to_end(&client), StreamEnd::Fin(port.to_be_bytes().to_vec()));
    }
    assert!(upstreams.iter().all(has_no_connection));
}

#[test]
fn ipv6_works_on_both_sides() {
    let upstream = TcpListener::bind("[::1]:0").unwrap();
    // The listener reserves this port on IPv6, and the proxy listens on the same port on IPv4.
    let port = upstream.local_addr().unwrap().port();
    let setup = Setup::new();
    let ip = setup.ip();
    let setup = setup
        .args(["--verbose"])
        .raw_route(&format!(r#"{{"localPort": {port}, "bind": "{ip}", "upstream": "[::1]:{port}"}}"#));
    let proxy = setup.start();
    serve_echo(upstream);
    assert!(echoes(&proxy.connect_to(port), b"over"));
}

/// A cheap stream of random bytes that depends on the seed.
struct Noise(fastrand::Rng);

impl Noise {
    const BYTES: usize = 64 << 20;

    fn chunks(seed: u64) -> impl Iterator<Item = Vec<u8>> {
        let mut noise = Self(fastrand::Rng::with_seed(seed));
        (0..Self::BYTES / 65_536).map(move |_| {
            let mut chunk = vec![0; 65_536];
            noise.0.fill(&mut chunk);
            chunk
        })
    }

    fn send(seed: u64, mut stream: &TcpStream) {
        Self::chunks(seed).for_each(|chunk| stream.write_all(&chunk).unwrap());
        stream.shutdown(Shutdown::Write).unwrap();
    }

    fn hash(seed: u64) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        Self::chunks(seed).for_each(|chunk| hasher.write(&chunk));
        hasher.finish()
    }
}

fn hash_of_all(mut stream: &TcpStream) -> u64 {
    let (mut hasher, mut buffer) = (std::hash::DefaultHasher::new(), vec![0; 65_536]);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return hasher.finish(),
            read => hasher.write(&buffer[..read]),
        }
    }
}

#[test]
fn data_is_intact_in_both_directions() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    let client = proxy.connect();
    let server = accept(&upstream);
    thread::scope(|scope| {
        scope.spawn(|| Noise::send(1, &client));
        scope.spawn(|| Noise::send(2, &server));
        let up = scope.spawn(|| hash_of_all(&server));
        let down = scope.spawn(|| hash_of_all(&client));
        assert_eq!(up.join().unwrap(), Noise::hash(1));
        assert_eq!(down.join().unwrap(), Noise::hash(2));
    });
    let bytes = Noise::BYTES;
    proxy.logged(&["connection closed", &format!("bytes_up={bytes} bytes_down={bytes}")]);
}

#[test]
fn half_close_of_client_keeps_the_reply() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    let mut client = proxy.connect();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut server = accept(&upstream);
    assert_eq!(read_to_end(&server), StreamEnd::Fin(b"question".to_vec()));
    server.write_all(b"answer").unwrap();
    drop(server);
    assert_eq!(read_to_end(&client), StreamEnd::Fin(b"answer".to_vec()));
    proxy.logged(&["connection closed", "bytes_up=8 bytes_down=6", "why=\"client closed\""]);
}

#[test]
fn half_close_of_upstream_keeps_the_request() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    let mut client = proxy.connect();
    let server = accept(&upstream);
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), StreamEnd::Fin(Vec::new()));
    client.write_all(b"request").unwrap();
    drop(client);
    assert_eq!(read_to_end(&server), StreamEnd::Fin(b"request".to_vec()));
    proxy.logged(&["connection closed", "why=\"upstream closed\""]);
}

#[test]
fn reset_is_forwarded_as_reset() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();

    let (client, server) = forwarding_pair(&proxy, &upstream);
    reset(client);
    assert_eq!(read_to_end(&server), StreamEnd::Reset);
    proxy.logged(&["connection closed", "conn=1 ", "why=\"client reset\""]);

    let (client, server) = forwarding_pair(&proxy, &upstream);
    reset(server);
    assert_eq!(read_to_end(&client), StreamEnd::Reset);
    proxy.logged(&["connection closed", "conn=2 ", "why=\"upstream reset\""]);
}

#[test]
fn reset_after_half_close_is_forwarded() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();

    let (client, server) = forwarding_pair(&proxy, &upstream);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), StreamEnd::Fin(Vec::new()));
    reset(client);
    // The server has already read the EOF, so its next write reports the reset.
    assert!(writes_fail(&server));
    proxy.logged(&["connection closed", "conn=1 ", "why=\"client reset\""]);

    let (client, server) = forwarding_pair(&proxy, &upstream);
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), StreamEnd::Fin(Vec::new()));
    reset(server);
    assert!(writes_fail(&client));
    proxy.logged(&["connection closed", "conn=2 ", "why=\"upstream reset\""]);
}

/// Neither side reads, so the proxy is blocked on writes in both directions.
#[test]
fn reset_is_noticed_while_buffers_are_full() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    for (number, client_resets) in [(1, true), (2, false)] {
        let (client, server) = forwarding_pair(&proxy, &upstream);
        fill(&client);
        fill(&server);
        let (leaver, other, why) =
            if client_resets { (client, server, "client reset") } else { (server, client, "upstream reset") };
        reset(leaver);
        assert_eq!(read_to_end(&other), StreamEnd::Reset);
        proxy.logged(&["connection closed", &format!("conn={number} "), &format!("why={why:?}")]);
    }
}

/// A socket reports a reset once. In the proxy, the write of one direction may consume it, and the read of the other
/// direction then returns EOF. The client has the same race between its own write and read, so the reset must show in
/// one of the two. After a FIN, the write would fail with a broken pipe instead (`tcp_reset` in
/// `net/ipv4/tcp_input.c`).
#[test]
fn reset_under_traffic_is_never_a_fin() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    for round in 0..300 {
        let (client, server) = (proxy.connect(), accept(&upstream));
        let (write_error, end) = thread::scope(|scope| {
            let writer = scope.spawn(|| (0..).find_map(|_| (&client).write_all(&[7; 512]).err()));
            (&server).read_exact(&mut [0; 2048]).unwrap();
            reset(server);
            let end = read_to_end(&client);
            (writer.join().unwrap().unwrap().kind(), end)
        });
        let is_reset = write_error == ErrorKind::ConnectionReset || end == StreamEnd::Reset;
        assert!(is_reset, "round {round}: {write_error}, {end:?}");
    }
}

/// The upstream has accepted, even if the socket is reset before the dial checks it.
#[test]
fn upstream_that_replies_and_resets_was_reached() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let proxy = setup.start();
    for connection in 1..=20 {
        let (mut client, mut server) = (proxy.connect(), accept(&upstream));
        server.write_all(b"busy").unwrap();
        reset(server);
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        assert_eq!((&answer, read_to_end(&client)), (b"busy", StreamEnd::Reset));
        proxy.logged(&["connection closed", &format!("conn={connection} "), "why=\"upstream reset\""]);
    }
}

#[test]
fn refused_dial_resets_the_client() {
    let proxy = one_route(r#""latencyMs": 3600000"#).start();
    assert_eq!(proxy.end_of_silent_client(), StreamEnd::Reset);
    proxy.logged(&["upstream unreachable", "conn=1 ", "refused"]);
    proxy.logged(&["connection closed", "conn=1 ", "why=\"upstream unreachable\""]);
}

/// Connects until the backlog is full.
fn fill_backlog(upstream: &TcpListener) -> Vec<TcpStream> {
    rustix::net::listen(upstream, 0).unwrap();
    let addr = upstream.local_addr().unwrap();
    let timeout = Duration::from_millis(100);
    let full: Vec<_> = (0..4).map_while(|_| TcpStream::connect_timeout(&addr, timeout).ok()).collect();
    assert!(full.len() < 4, "a backlog of 0 holds one connection, or two in a race");
    full
}

/// With a full backlog the kernel drops each SYN, so the dial is neither accepted nor refused.
#[test]
fn dial_times_out_without_stalling_others() {
    let setup = one_route(r#""connectTimeoutMs": 300"#);
    let upstream = setup.upstream();
    let _full = fill_backlog(&upstream);
    let proxy = setup.start();
    let clients: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
    for (client, number) in clients.iter().zip(1..) {
        assert_eq!(read_to_end(client), StreamEnd::Reset);
        proxy.logged(&[
            "upstream unreachable",
            &format!("conn={number} "),
            "no answer within connectTimeoutMs, 300 ms",
        ]);
    }
}

#[test]
fn client_reset_ends_the_dial() {
    let setup = one_route(r#""connectTimeoutMs": 3600000"#);
    let upstream = setup.upstream();
    let _full = fill_backlog(&upstream);
    let mut proxy = setup.start();
    reset(proxy.connect());
    proxy.logged(&["connection closed", "why=\"client reset\""]);
    assert_eq!(proxy.stop(), 0);
}

/// The dial takes one second: the first SYN is dropped, and its retransmission finds space in the backlog.
#[test]
fn delivers_data_of_closed_client_after_slow_dial() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let full = fill_backlog(&upstream);
    let proxy = setup.start();
    let mut client = proxy.connect();
    client.write_all(b"metric 1\n").unwrap();
    drop(client);
    proxy.logged(&["connection opened"]);
    for _ in full {
        drop(accept(&upstream));
    }
    assert_eq!(read_to_end(&accept(&upstream)), StreamEnd::Fin(b"metric 1\n".to_vec()));
}

/// Writes until the socket stays full.
fn fill(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let mut idle_since = std::time::Instant::now();
    // The size of the kernel buffers is unknown. A socket that is not writable for 250 ms counts as full.
    while idle_since.elapsed() < Duration::from_millis(250) {
        if { stream }.write(&[1; 65_536]).is_ok() {
            idle_since = std::time::Instant::now();
        }
    }
    stream.set_nonblocking(false).unwrap();
}

fn writes_fail(mut stream: &TcpStream) -> bool {
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    let deadline = std::time::Instant::now() + TIMEOUT;
    while std::time::Instant::now() < deadline {
        if stream.write(b"x").is_err() {
            return true;
        }
    }
    false
}
