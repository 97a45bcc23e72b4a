//! A route of the proxy with one worker as its client and its upstream. The worker knows what it did at one end, and
//! checks what arrives at the other.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Failure, Outcome, ensure};
use crate::peer::{Peer, Side, TIMEOUT};

/// A handshake on loopback takes microseconds. One that takes this long means that the backlog is full.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(500);

/// How a dial to the upstream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// The upstream accepts.
    Accepted,
    /// The backlog is full, so the SYN is dropped without an answer.
    TimesOut,
    /// There is no listener.
    Refused,
}

/// Whether the proxy dropped or forwarded a connection.
pub enum Decision {
    /// The upstream's end of it.
    Forwarded(Peer),
    Dropped,
}

/// A route with both its ends.
pub struct TestRoute {
    proxy: SocketAddr,
    upstream: TcpListener,
    /// Connections that fill the backlog, for [`Dial::TimesOut`].
    _fillers: Vec<TcpStream>,
    last_id: u64,
}

impl TestRoute {
    /// Opens the upstream of the route with this number.
    pub fn open(ip: Ipv4Addr, number: u16, dial: Dial) -> Outcome<Self> {
        let upstream = TcpListener::bind((ip, upstream_port(number)))?;
        let fillers = if dial == Dial::TimesOut { fill_backlog(&upstream)? } else { Vec::new() };
        let proxy = SocketAddr::from((ip, listen_port(number)));
        Ok(Self { proxy, upstream, _fillers: fillers, last_id: u64::from(number) << 48 })
    }

    /// Connects a client. The proxy may not have accepted it yet.
    #[track_caller]
    pub fn connect(&mut self) -> Outcome<Peer> {
        self.last_id += 1;
        Peer::new(Side::Client, TcpStream::connect_timeout(&self.proxy, TIMEOUT)?, self.last_id)
    }

    /// Connects a client that the proxy may reset at once. Returns none if the RST arrives before connect(2) returns,
    /// which then fails.
    #[track_caller]
    pub fn connect_to_be_reset(&mut self) -> Outcome<Option<Peer>> {
        self.last_id += 1;
        match TcpStream::connect_timeout(&self.proxy, TIMEOUT) {
            Ok(stream) => Peer::new(Side::Client, stream, self.last_id).map(Some),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Accepts the upstream's end of the last client's connection.
    #[track_caller]
    pub fn accept(&self) -> Outcome<Peer> {
        Peer::new(Side::Upstream, self.accept_stream()?, self.last_id)
    }

    /// Opens a connection and returns both its ends, once it has forwarded its id.
    #[track_caller]
    pub fn open_pair(&mut self) -> Outcome<(Peer, Peer)> {
        let client = self.connect_with_id()?;
        let upstream = self.accept()?;
        ensure(read_id(upstream.stream())? == self.last_id, || "received bytes of another connection".to_owned())?;
        Ok((client, upstream))
    }

    /// Opens `count` connections at once, and matches their ends by the ids that they forward.
    #[track_caller]
    pub fn open_pairs(&mut self, count: usize) -> Outcome<Vec<(Peer, Peer)>> {
        let mut clients = HashMap::new();
        for _ in 0..count {
            clients.insert(self.last_id + 1, self.connect_with_id()?);
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            let upstream = self.accept_stream()?;
            let id = read_id(&upstream)?;
            let client = clients.remove(&id).ok_or_else(|| Failure::new(format!("no client sent id {id:#x}")))?;
            pairs.push((client, Peer::new(Side::Upstream, upstream, id)?));
        }
        Ok(pairs)
    }

    /// Waits until the proxy has dialled the upstream for `client`, the last client that connected, or dropped it.
    #[track_caller]
    pub fn wait_for_decision(&self, client: &Peer) -> Outcome<Decision> {
        let mut fds = [PollFd::new(&self.upstream, PollFlags::IN), PollFd::new(client.stream(), PollFlags::IN)];
        wait(&mut fds)?;
        let (dialled, ended) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        ensure(dialled || ended, || "a connection was neither forwarded nor dropped".to_owned())?;
        if dialled { Ok(Decision::Forwarded(self.accept()?)) } else { Ok(Decision::Dropped) }
    }

    /// Accepts all connections that the proxy has dialled so far.
    pub fn accept_waiting(&self) -> Outcome<Vec<Peer>> {
        self.upstream.set_nonblocking(true)?;
        let accepted: Result<Vec<_>, _> = self.upstream.incoming().take_while(|next| !would_block(next)).collect();
        self.upstream.set_nonblocking(false)?;
        accepted?.into_iter().map(|stream| Peer::new(Side::Upstream, stream, self.last_id)).collect()
    }

    #[track_caller]
    fn connect_with_id(&mut self) -> Outcome<Peer> {
        let client = self.connect()?;
        client.stream().write_all(&self.last_id.to_be_bytes())?;
        Ok(client)
    }

    #[track_caller]
    fn accept_stream(&self) -> Outcome<TcpStream> {
        let mut fds = [PollFd::new(&self.upstream, PollFlags::IN)];
        wait(&mut fds)?;
        let dialled = !fds[0].revents().is_empty();
        ensure(dialled, || format!("the upstream was not dialled within {} s", TIMEOUT.as_secs()))?;
        Ok(self.upstream.accept()?.0)
    }
}

/// The config of the route with this number. `keys` are further keys, each after a comma.
pub fn config(ip: Ipv4Addr, number: u16, name: &str, dial: Dial, keys: &str) -> String {
    let listen = listen_port(number);
    let upstream = if dial == Dial::Refused { CLOSED_PORT } else { upstream_port(number) };
    format!(r#"{{"localPort": {listen}, "bind": "{ip}", "upstream": "{ip}:{upstream}", "name": "{name}"{keys}}}"#)
}

/// A port without a listener. Like all ports here it is below the ephemeral ports, so no client gets it as its own.
const CLOSED_PORT: u16 = 7999;

fn listen_port(number: u16) -> u16 {
    8000 + number
}

fn upstream_port(number: u16) -> u16 {
    9000 + number
}

/// Connects until the backlog is full. The kernel then drops SYNs instead of refusing them (listen(2)), so a dial hangs
/// as it does with an unreachable host.
fn fill_backlog(upstream: &TcpListener) -> Outcome<Vec<TcpStream>> {
    rustix::net::listen(upstream, 0).map_err(Error::from)?;
    let addr = upstream.local_addr()?;
    Ok(std::iter::from_fn(|| TcpStream::connect_timeout(&addr, HANDSHAKE_TIMEOUT).ok()).collect())
}

fn read_id(mut stream: &TcpStream) -> Outcome<u64> {
    let mut id = [0; 8];
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.read_exact(&mut id)?;
    Ok(u64::from_be_bytes(id))
}

fn wait(fds: &mut [PollFd<'_>]) -> Outcome {
    let timeout = Timespec { tv_sec: TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
    poll(fds, Some(&timeout)).map_err(Error::from)?;
    Ok(())
}

fn would_block(accepted: &Result<TcpStream, Error>) -> bool {
    accepted.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
