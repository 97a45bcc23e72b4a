//! Toxics over real sockets: their effect on a stream as both ends see it. The arithmetic of toxics is tested in
//! `src/toxic`. This file starts routes with toxics and reads and writes their streams.

mod budget;
mod buffering;
mod byte_counts;
mod bytes;
mod closing;
mod delays;
mod early_answer;
mod ends;
mod fault_log;
mod held_data;
mod limit_data;
mod messages;
mod programs;
mod selectors;
mod slow_readers;
mod triggers;
mod urgent;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Proxy, Setup, TIMEOUT, accept, one_route, with_timeouts};

const STREAMS: [&str; 2] = ["upstream", "downstream"];

/// An hour in milliseconds, far longer than [`TIMEOUT`]. What arrives despite this delay did not wait for it.
const HOUR: &str = "3600000";

/// What a busy machine may add to a delay. It does not measure precision, which the tests in `src/toxic` do. It is
/// small enough to detect milliseconds taken for seconds, or a delay applied once per chunk.
const TOLERANCE: Duration = Duration::from_secs(8);

/// A toxic as JSON.
fn toxic(kind: &str, stream: &str, attributes: &str) -> String {
    toxic_with(kind, stream, attributes, "")
}

/// A toxic as JSON, with further keys. Each begins with a comma.
fn toxic_with(kind: &str, stream: &str, attributes: &str, keys: &str) -> String {
    format!(r#"{{"type": "{kind}", "stream": "{stream}", "attributes": {{{attributes}}}{keys}}}"#)
}

/// A setup with one route and these toxics, in this order.
fn route(toxics: &[String]) -> Setup {
    one_route(&format!(r#""toxics": [{}]"#, toxics.join(", ")))
}

/// A running proxy and its upstream.
struct Run {
    proxy: Proxy,
    upstream: TcpListener,
}

/// Starts a route with these toxics and a fixed seed.
fn run(toxics: &[String]) -> Run {
    start(route(toxics).args(["--seed", "7"]))
}

fn start(setup: Setup) -> Run {
    let upstream = setup.upstream();
    Run { proxy: setup.start(), upstream }
}

impl Run {
    /// Opens a connection and returns its client and its server.
    fn pair(&self) -> (TcpStream, TcpStream) {
        (with_timeouts(self.proxy.connect()), accept(&self.upstream))
    }

    /// Opens a connection and returns the sender and the receiver of one direction.
    fn endpoints(&self, stream: &str) -> (TcpStream, TcpStream) {
        let (client, server) = self.pair();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        if stream == "upstream" { (client, server) } else { (server, client) }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Fin,
    Reset,
}

/// Reads until the end. Returns the bytes and how the stream ended.
fn read_all(mut stream: &TcpStream) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Fin),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("neither a FIN nor a reset after {} bytes: {error}", bytes.len()),
    }
}

fn read_exactly(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Sends `bytes` in writes of `write_size`, then a FIN, and returns what arrives. A toxic may end the sending early.
fn transfer((from, to): &(TcpStream, TcpStream), bytes: &[u8], write_size: usize) -> (Vec<u8>, End) {
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut from = from;
            if bytes.chunks(write_size).all(|piece| from.write_all(piece).is_ok()) {
                let _ = from.shutdown(Shutdown::Write);
            }
        });
        read_all(to)
    })
}

/// Whether neither data nor an end arrives for 300 ms, in which it would arrive without a toxic.
fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let received = stream.read(&mut [0]);
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    received.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Waits until the peer's kernel has acknowledged all data: `tx_queue` of /proc/net/tcp is 0 (proc(5)). Addresses, ports
/// and queues are hexadecimal. Other tests have sockets with the same ports at other addresses.
fn wait_until_acknowledged(stream: &TcpStream) {
    let written = |addr: SocketAddr| match addr {
        SocketAddr::V4(addr) => format!("{:08X}:{:04X}", u32::from_ne_bytes(addr.ip().octets()), addr.port()),
        SocketAddr::V6(addr) => panic!("{addr} is not in /proc/net/tcp"),
    };
    let (here, there) = (written(stream.local_addr().unwrap()), written(stream.peer_addr().unwrap()));
    let began = Instant::now();
    loop {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        if rows.find(|row| row[1] == here && row[2] == there).unwrap()[4].starts_with("00000000:") {
            return;
        }
        assert!(began.elapsed() < TIMEOUT);
    }
}

/// Random bytes, the same in every call.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes
}

/// Asserts that an event due `due` after `began`, which has just happened, was not early and at most [`TOLERANCE`]
/// late.
#[track_caller]
fn assert_on_time(began: Instant, due: Duration) {
    let took = began.elapsed();
    assert!((due..due + TOLERANCE).contains(&took), "after {took:?} instead of {due:?}");
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
