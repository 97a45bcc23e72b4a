//! A server of the API in this process, with the proxies that requests create, on a loopback address of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::process::id;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chaos_proxy::admin::{Api, error_response};
use chaos_proxy::config::Defaults;
use chaos_proxy::http::{Limits, Server};
use chaos_proxy::limits::Cap;
use chaos_proxy::proxy::Supervisor;
use chaos_proxy::stop::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::http_client::{Answer, Client, HANGS};

/// The port of most proxies.
pub const PORT: u16 = 8180;

/// The port of most upstreams.
pub const UPSTREAM: u16 = 9090;

/// Without an event for that long, a connection waits.
const SILENCE: Duration = Duration::from_millis(100);

const CAP: Cap = Cap {
    connections: NonZeroUsize::new(1000).unwrap(),
    limited_by: "the tests",
    overflow: NonZeroUsize::new(100).unwrap(),
};

const LIMITS: Limits = Limits {
    connections: NonZeroUsize::new(64).unwrap(),
    streams: 1,
    replaceable_after: HANGS,
    head_bytes: 16 * 1024,
    header_lines: 100,
    body_bytes: 1024 * 1024,
    first_request: HANGS,
    next_request: HANGS,
    head: HANGS,
    stall: HANGS,
    linger: HANGS,
};

pub struct Toxiproxy {
    pub ip: Ipv4Addr,
    pub addr: SocketAddr,
    pub supervisor: Arc<Supervisor>,
}

impl Toxiproxy {
    pub fn new() -> Self {
        Self::with(Defaults::default())
    }

    pub fn with(defaults: Defaults) -> Self {
        let (ip, stop) = (unique_ip(), Arc::new(Stop::new().unwrap()));
        let supervisor = Arc::new(Supervisor::new(CAP, NonZeroUsize::new(16 << 20).unwrap(), 7, stop, None));
        let server = Server::bind((ip, 0).into()).unwrap();
        let addr = server.local_addr();
        let api = Api::new(Arc::clone(&supervisor), defaults);
        server.serve(LIMITS, error_response, move |request| api.respond(&request)).unwrap();
        Self { ip, addr, supervisor }
    }

    /// With a proxy `db`, and its upstream.
    pub fn with_db() -> (Self, TcpListener) {
        let toxiproxy = Self::new();
        let upstream = toxiproxy.upstream(UPSTREAM);
        toxiproxy.create("db", PORT, UPSTREAM);
        (toxiproxy, upstream)
    }

    pub fn create(&self, name: &str, port: u16, upstream: u16) {
        let body = format!(r#"{{"name":"{name}","listen":"IP:{port}","upstream":"IP:{upstream}"}}"#);
        self.expect(201, "POST", "/proxies", &body);
    }

    /// The answer to a request on a connection of its own. `IP` in the body is the address of this server.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let body = body.replace("IP", &self.ip.to_string());
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", self.addr);
        answer(Client::connect(self.addr).send(head + &body))
    }

    /// The text of an answer with this status, with `IP` for the address.
    #[track_caller]
    pub fn expect(&self, status: u16, method: &str, path: &str, body: &str) -> String {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
        answer.text().replace(&self.ip.to_string(), "IP")
    }

    pub fn add_toxic(&self, body: &str) {
        self.expect(200, "POST", "/proxies/db/toxics", body);
    }

    pub fn update(&self, body: &str) -> String {
        self.expect(200, "POST", "/proxies/db", body)
    }

    /// The proxy `db`.
    pub fn db(&self) -> String {
        self.expect(200, "GET", "/proxies/db", "")
    }

    pub fn upstream(&self, port: u16) -> TcpListener {
        TcpListener::bind((self.ip, port)).unwrap()
    }

    pub fn connect(&self, port: u16) -> TcpStream {
        with_timeouts(TcpStream::connect((self.ip, port)).unwrap())
    }

    pub fn refuses(&self, port: u16) -> bool {
        TcpStream::connect((self.ip, port)).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }

    /// Both ends of a connection.
    pub fn pair(&self, port: u16, upstream: &TcpListener) -> Pair {
        let client = self.connect(port);
        assert!(has_input(upstream, HANGS), "the upstream was not dialled");
        Pair { client, server: with_timeouts(upstream.accept().unwrap().0) }
    }
}

/// An answer, which has no content if it has no length.
fn answer(client: &mut Client) -> Answer {
    let mut answer = client.head();
    let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
    answer.body.resize(length, 0);
    client.0.read_exact(&mut answer.body).unwrap();
    answer
}

pub struct Pair {
    pub client: TcpStream,
    pub server: TcpStream,
}

impl Pair {
    /// Whether bytes pass both ways.
    pub fn forwards(&self) -> bool {
        passes(&self.client, &self.server) && passes(&self.server, &self.client)
    }

    /// Whether both ends are closed, with a FIN or a RST.
    pub fn is_closed(&self) -> bool {
        [&self.client, &self.server].into_iter().all(|mut end| end.read(&mut [0]).map_or(true, |length| length == 0))
    }
}

fn passes(mut from: &TcpStream, mut to: &TcpStream) -> bool {
    let mut came = [0; 4];
    from.write_all(b"data").is_ok() && to.read_exact(&mut came).is_ok() && &came == b"data"
}

/// Whether nothing comes for a while: neither bytes nor an end.
pub fn is_silent(stream: &TcpStream) -> bool {
    !has_input(stream, SILENCE)
}

fn has_input(socket: impl std::os::fd::AsFd, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).unwrap();
    poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timeout)) == Ok(1)
}

fn with_timeouts(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(HANGS)).unwrap();
    stream.set_write_timeout(Some(HANGS)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A loopback address that no other server uses: 13 bits from the process id and an 11-bit counter.
fn unique_ip() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from_bits(127 << 24 | (id() << 11 | count) & 0xff_ffff)
}
