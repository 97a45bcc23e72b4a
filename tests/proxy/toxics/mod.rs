//! Toxics through real sockets: what each of them does to a stream, as both of its ends see it. How a toxic decides is
//! tested beside it, in `src/toxic`; here is a route with toxics, and what its tests ask of a stream.

mod buffering;
mod bytes;
mod closing;
mod delays;
mod fault_log;
mod held_data;
mod limit_data;
mod programs;
mod selectors;
mod slow_readers;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Proxy, Setup, TIMEOUT, accept, one_route, with_timeouts};

const STREAMS: [&str; 2] = ["upstream", "downstream"];

/// An hour: what is delayed by so much and still comes, or ends, did not wait for it, since no test waits for more than
/// [`PATIENCE`].
const HOUR: &str = "3600000";

/// What a busy machine may add to a delay. It is no measure of how exact delays are, which is `src/toxic`'s to prove: it
/// tells a delay from one that is taken for seconds, or is met once for each of many chunks.
const TOLERANCE: Duration = Duration::from_secs(8);

/// A toxic in the config's words.
fn toxic(kind: &str, stream: &str, attributes: &str) -> String {
    toxic_with(kind, stream, attributes, "")
}

/// One with more keys than those; each begins with a comma.
fn toxic_with(kind: &str, stream: &str, attributes: &str, keys: &str) -> String {
    format!(r#"{{"type": "{kind}", "stream": "{stream}", "attributes": {{{attributes}}}{keys}}}"#)
}

/// A route with these toxics, in this order.
fn route(toxics: &[String]) -> Setup {
    one_route(&format!(r#""toxics": [{}]"#, toxics.join(", ")))
}

/// A proxy and what it leads to.
struct Run {
    proxy: Proxy,
    upstream: TcpListener,
}

/// Starts a route with these toxics, and a seed that never changes.
fn run(toxics: &[String]) -> Run {
    start(route(toxics).args(["--seed", "7"]))
}

fn start(setup: Setup) -> Run {
    let upstream = setup.upstream();
    Run { proxy: setup.start(), upstream }
}

impl Run {
    /// The client and the server of a new connection.
    fn pair(&self) -> (TcpStream, TcpStream) {
        (with_timeouts(self.proxy.connect()), accept(&self.upstream))
    }

    /// A new connection as a direction of it has it: where its bytes go in, and where they come out.
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

/// All that comes, and what it ends with.
fn read_all(mut stream: &TcpStream) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Fin),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("neither an end nor a reset after {} bytes: {error}", bytes.len()),
    }
}

fn read_exactly(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Sends it all in writes of `at_once` bytes, and a FIN; returns what comes out. A toxic may end the sending early.
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

/// Whether nothing comes, an end neither, for so long that it would have come without a toxic.
fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let received = stream.read(&mut [0]);
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    received.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Bytes that don't repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes
}

/// Asserts that something that is due `due` after `began` has just happened neither early nor far too late.
#[track_caller]
fn assert_on_time(began: Instant, due: Duration) {
    let took = began.elapsed();
    assert!((due..due + TOLERANCE).contains(&took), "after {took:?} instead of {due:?}");
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
