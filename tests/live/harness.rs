//! Clients and upstreams of a proxy whose routes change. Waits are for conditions, and [`TIMEOUT`] turns a hang into a
//! failure.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;

use crate::proxy::{Proxy, UPSTREAM, toxics};

/// More than a direction takes that does not go on: a socket receives up to 32 MiB (`tcp_rmem` in tcp(7)), and the proxy has
/// a pipe and a send buffer beside that, or what toxics hold.
pub const MUCH: usize = 96 << 20;

/// Far longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The bound for an immediate reaction, where a connection would otherwise wait for an hour or for ever. It takes
/// milliseconds; the rest is for a machine that has far more to do than it can. It is not above the 5 s that the proxy gives
/// a peer that stands still, so that waiting for those is not immediate.
pub const AT_ONCE: Duration = Duration::from_secs(4);

/// Without an event for that long, a connection waits: the proxy needs some milliseconds at most for what it can do, and
/// polls a quiet source after 20 ms.
const SILENCE: Duration = Duration::from_millis(100);

/// The port of the route of most tests.
pub const PORT: u16 = 8180;

pub const HOUR: &str = "3600000";

/// A proxy with one route, `r`, and its upstream.
pub struct OneRoute {
    pub proxy: Proxy,
    pub upstream: TcpListener,
    keys: String,
}

impl OneRoute {
    /// With these toxics.
    pub fn new(toxics: &[String]) -> Self {
        Self::with_keys("", toxics)
    }

    /// With further keys, each followed by a comma.
    pub fn with_keys(keys: &str, toxics: &[String]) -> Self {
        let proxy = Proxy::new();
        let upstream = upstream(&proxy, UPSTREAM);
        let route = Self { proxy, upstream, keys: keys.to_owned() };
        route.set(toxics);
        route
    }

    /// Has these toxics act instead of those before.
    pub fn set(&self, list: &[String]) {
        self.proxy.apply(&[self.proxy.route("r", PORT, &format!("{}{}", self.keys, toxics(list)))]);
    }

    pub fn pair(&self) -> Pair {
        pair(&self.proxy, PORT, &self.upstream)
    }
}

/// Both ends of a connection.
pub struct Pair {
    pub client: TcpStream,
    pub server: TcpStream,
}

impl Pair {
    /// The sender and the receiver of a direction.
    pub fn ends(&self, stream: &str) -> (&TcpStream, &TcpStream) {
        if stream == "upstream" { (&self.client, &self.server) } else { (&self.server, &self.client) }
    }

    /// Whether bytes pass both ways.
    pub fn forwards(&self) -> bool {
        passes(&self.client, &self.server, b"request") && passes(&self.server, &self.client, b"reply")
    }
}

pub fn upstream(proxy: &Proxy, port: u16) -> TcpListener {
    TcpListener::bind((proxy.ip, port)).unwrap()
}

pub fn connect(proxy: &Proxy, port: u16) -> TcpStream {
    with_timeouts(TcpStream::connect((proxy.ip, port)).unwrap())
}

/// Whether a port refuses connections.
pub fn refuses(proxy: &Proxy, port: u16) -> bool {
    let refused = TcpStream::connect(SocketAddr::from((proxy.ip, port)));
    refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub fn accept(upstream: &TcpListener) -> TcpStream {
    assert!(has_events(upstream, PollFlags::IN, TIMEOUT), "the upstream was not dialled");
    with_timeouts(upstream.accept().unwrap().0)
}

pub fn pair(proxy: &Proxy, port: u16, upstream: &TcpListener) -> Pair {
    Pair { client: connect(proxy, port), server: accept(upstream) }
}

/// Whether `bytes` get from one end to the other.
pub fn passes(mut from: &TcpStream, mut to: &TcpStream, bytes: &[u8]) -> bool {
    let mut came = vec![0; bytes.len()];
    from.write_all(bytes).is_ok() && to.read_exact(&mut came).is_ok() && came == bytes
}

/// Echoes every connection until its end.
pub fn serve_echo(upstream: TcpListener) {
    thread::spawn(move || {
        for stream in upstream.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = std::io::copy(&mut &stream, &mut &stream);
            });
        }
    });
}

/// Whether nothing comes for a while: neither bytes nor an end.
pub fn is_silent(stream: &TcpStream) -> bool {
    !has_events(stream, PollFlags::IN, SILENCE)
}

/// Whether a stream is closed in both directions before long, as it is after a reset.
pub fn closes(stream: &TcpStream) -> bool {
    has_events(stream, PollFlags::empty(), TIMEOUT)
}

/// Whether a stream is not reset for a while.
pub fn stays_open(stream: &TcpStream) -> bool {
    !has_events(stream, PollFlags::empty(), SILENCE)
}

/// Sends `bytes` until no more are taken for a while; returns the number of those taken.
pub fn fill(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while has_events(stream, PollFlags::OUT, SILENCE) {
        assert!(sent < bytes.len(), "it takes more than {sent} bytes");
        sent += stream.write(&bytes[sent..]).unwrap();
    }
    stream.set_nonblocking(false).unwrap();
    sent
}

/// Bytes whose order can be checked: no piece that is lost or repeated is a multiple of the period, a prime.
pub fn pattern(length: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..65_521_u32).map(|at| at.to_le_bytes()[at as usize % 2]).collect();
    period.into_iter().cycle().take(length).collect()
}

/// How a stream ends, as its reader sees it, and what came before.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Fin(Vec<u8>),
    Reset,
}

pub fn read_to_end(mut stream: &TcpStream) -> End {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => End::Fin(bytes),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
        Err(error) => panic!("neither a FIN nor a reset: {error}"),
    }
}

pub fn read_exactly(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Closes a stream with a RST.
pub fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// What `work` returns, after an assertion that it took no longer than [`AT_ONCE`].
#[track_caller]
pub fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    let took = began.elapsed();
    assert!(took < AT_ONCE, "it took {took:?}");
    result
}

fn has_events(socket: impl std::os::fd::AsFd, events: PollFlags, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).unwrap();
    poll(&mut [PollFd::new(&socket, events)], Some(&timeout)) == Ok(1)
}

/// Sets timeouts, so that a test fails instead of hanging.
pub fn with_timeouts(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
