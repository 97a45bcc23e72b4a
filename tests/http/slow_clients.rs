//! Clients that are slow, hostile or gone: others are served all the same.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chaos_proxy::http::{Limits, Response, Status};
use proptest::prelude::*;

use super::http_client::{Client, HANGS};
use super::{GET, LIMITS, gated, greet, serve, serve_with};

/// The limits of an admin server, with shorter times.
const MANY: Limits = Limits {
    connections: NonZeroUsize::new(64).unwrap(),
    replaceable_after: Duration::from_millis(200),
    head: Duration::from_secs(1),
    ..LIMITS
};

#[test]
fn idle_connections_keep_no_other_out() {
    let addr = serve_with(MANY, greet);
    let mut idle: Vec<Client> = (0..64).map(|_| Client::connect(addr)).collect();
    // All are accepted, in this order.
    assert_eq!(idle[63].send(GET).answer().status, 200);
    assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
    idle[0].assert_end();
    assert_eq!(idle[63].send(GET).answer().status, 200, "one is replaced, not all");
}

#[test]
fn a_fast_client_is_served_beside_slow_ones() {
    let addr = serve_with(MANY, greet);
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        let slow: Vec<_> = (0..40).map(|_| scope.spawn(|| trickle(addr, &finished))).collect();
        let mut fast = Client::connect(addr);
        let deadline = Instant::now() + 2 * MANY.head;
        while Instant::now() < deadline {
            let begin = Instant::now();
            assert_eq!(fast.send(GET).answer().status, 200);
            assert!(begin.elapsed() < MANY.head, "{:?}", begin.elapsed());
            thread::sleep(Duration::from_millis(5));
        }
        finished.store(true, Ordering::SeqCst);
        for client in slow {
            assert!(client.join().unwrap().starts_with("HTTP/1.1 408 "), "its head took too long");
        }
    });
}

/// Sends a head one byte at a time, until the server answers.
fn trickle(addr: SocketAddr, finished: &AtomicBool) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut answer = [0; 64];
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    while !finished.load(Ordering::SeqCst) {
        if let Ok(length) = stream.read(&mut answer) {
            return String::from_utf8_lossy(&answer[..length]).into_owned();
        }
        stream.write_all(b"x").unwrap();
    }
    "none".to_owned()
}

/// Each read makes progress, so no single write times out.
#[test]
fn clients_that_read_slowly_keep_no_other_out() {
    let limits = Limits { stall: Duration::from_millis(500), ..LIMITS };
    let addr = serve_with(limits, |request| match request.target.path().as_slice() {
        ["large"] => Response::new(Status::Ok, "a/b", vec![0; 64 << 20]),
        _ => greet(request),
    });
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut client = Client::connect(addr);
            client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").head();
            scope.spawn(|| sip(client, &finished));
        }
        assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
        assert!(!finished.swap(true, Ordering::SeqCst), "they would need a minute");
    });
}

/// Reads 64 KiB at a time with pauses.
fn sip(mut client: Client, finished: &AtomicBool) {
    let (mut piece, mut left) = (vec![0; 64 << 10], 64 << 20);
    while left > 0 && !finished.load(Ordering::SeqCst) {
        match client.0.read(&mut piece) {
            Ok(length @ 1..) => left -= length,
            _ => return,
        }
        thread::sleep(Duration::from_millis(50));
    }
    finished.store(true, Ordering::SeqCst);
}

#[test]
fn a_client_that_leaves_before_its_answer_keeps_no_other_out() {
    let (handler, begun, permit) = gated();
    let addr = serve(handler);
    for _ in 0..LIMITS.connections.get() {
        Client::connect(addr).send(GET);
        begun.recv_timeout(HANGS).unwrap();
    }
    (0..=LIMITS.connections.get()).for_each(|_| permit.send(()).unwrap());
    assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let addr = serve(|request| Response::text(Status::Ok, request.target.path()[0]));
    let requests = (0..100).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut client = Client::connect(addr);
    client.send(requests.collect::<Vec<_>>().concat());
    for number in 0..100 {
        assert_eq!(client.answer().text(), format!("{number}\n"));
    }
}

/// What a client does after it has sent its bytes.
#[derive(Clone, Copy, Debug)]
enum Departure {
    HalfClose,
    Close,
    Wait,
}

#[test]
fn any_bytes_get_an_answer_or_a_closed_connection() {
    let soon = Duration::from_millis(50);
    let limits = Limits { first_request: soon, next_request: soon, head: soon, stall: soon, linger: soon, ..MANY };
    let addr = serve_with(limits, |request| {
        let status = if request.method == "HEAD" { Status::MethodNotAllowed } else { Status::Ok };
        Response::new(status, "a/b", request.body)
    });
    proptest!(ProptestConfig::with_cases(300), |(bytes in any_bytes(), departure in any_departure())| {
        let answered = converse(addr, &bytes, departure);
        prop_assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 "), "{answered:?}");
        prop_assert!(!answered.is_empty() || bytes.is_empty() || !matches!(departure, Departure::HalfClose));
    });
    assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
}

/// The bytes up to the end of the connection, which comes in time. It may be a reset, if the server closed it while the
/// client was sending.
fn converse(addr: SocketAddr, bytes: &[u8], departure: Departure) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    let _ = stream.write_all(bytes);
    match departure {
        Departure::HalfClose => stream.shutdown(Shutdown::Write).unwrap_or_default(),
        Departure::Close => return Vec::new(),
        Departure::Wait => {}
    }
    let mut answered = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answered) {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    answered
}

fn any_departure() -> impl Strategy<Value = Departure> {
    prop_oneof![6 => Just(Departure::HalfClose), 6 => Just(Departure::Close), 1 => Just(Departure::Wait)]
}

/// Noise, and pieces of requests in any order with noise between them.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "GET / HTTP/1.1\r\n",
        "POST /a%2fb HTTP/1.1\r\nHost: a\r\n",
        "HEAD /c?d HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: 9999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "\r\n",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n",
    ];
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    prop::collection::vec(prop_oneof![1 => noise, 6 => piece], 0..12).prop_map(|parts| parts.concat())
}
