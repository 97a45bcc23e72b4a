//! A lane: a route of the proxy whose clients and whose upstream are the same worker's, so that it knows what either end
//! must see of what it did at the other.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Failure, Outcome, ensure};
use crate::peer::{Peer, Side, TIMEOUT};

/// A handshake on loopback takes microseconds; one that takes so long meets a full backlog.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(500);

/// What becomes of a dial to a lane's upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// It is accepted.
    Accepted,
    /// It stays without an answer: the backlog is full.
    TimesOut,
    /// It is refused: nobody listens.
    Refused,
}

/// What the dice had for a connection.
pub enum Decision {
    /// The upstream's end of it.
    Forwarded(Peer),
    Dropped,
}

/// One route, with both its ends.
pub struct TestRoute {
    proxy: SocketAddr,
    upstream: TcpListener,
    /// What keeps the backlog full, where it is to be.
    _fillers: Vec<TcpStream>,
    last_id: u64,
}

impl TestRoute {
    /// The lane of that `number` on `ip`.
    pub fn open(ip: Ipv4Addr, number: u16, dial: Dial) -> Outcome<Self> {
        let upstream = TcpListener::bind((ip, upstream_port(number)))?;
        let fillers = if dial == Dial::TimesOut { fill_backlog(&upstream)? } else { Vec::new() };
        let proxy = SocketAddr::from((ip, listen_port(number)));
        Ok(Self { proxy, upstream, _fillers: fillers, last_id: u64::from(number) << 48 })
    }

    /// A client; the proxy may not have noticed it yet.
    #[track_caller]
    pub fn connect(&mut self) -> Outcome<Peer> {
        self.last_id += 1;
        Peer::new(Side::Client, TcpStream::connect_timeout(&self.proxy, TIMEOUT)?, self.last_id)
    }

    /// A client whom the proxy may reset at once. Where the RST is here before connect(2) has returned, that call tells
    /// of it: there is no client then.
    #[track_caller]
    pub fn connect_to_be_reset(&mut self) -> Outcome<Option<Peer>> {
        self.last_id += 1;
        match TcpStream::connect_timeout(&self.proxy, TIMEOUT) {
            Ok(stream) => Peer::new(Side::Client, stream, self.last_id).map(Some),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The upstream's end of the last client's connection, once it is dialled.
    #[track_caller]
    pub fn accept(&self) -> Outcome<Peer> {
        Peer::new(Side::Upstream, self.accept_stream()?, self.last_id)
    }

    /// Both ends of a connection that has been forwarding already.
    #[track_caller]
    pub fn open_pair(&mut self) -> Outcome<(Peer, Peer)> {
        let client = self.connect_with_id()?;
        let upstream = self.accept()?;
        ensure(read_id(upstream.stream())? == self.last_id, || "the bytes of another connection came".to_owned())?;
        Ok((client, upstream))
    }

    /// So many of them at once. Which upstream end is whose is told by the tickets.
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
            let client = clients.remove(&id).ok_or_else(|| Failure::new(format!("id {id:#x} is nobody's")))?;
            pairs.push((client, Peer::new(Side::Upstream, upstream, id)?));
        }
        Ok(pairs)
    }

    /// What becomes of `client`, who is the last to have connected: its upstream hears of it, or itself does.
    #[track_caller]
    pub fn decision(&self, client: &Peer) -> Outcome<Decision> {
        let mut fds = [PollFd::new(&self.upstream, PollFlags::IN), PollFd::new(client.stream(), PollFlags::IN)];
        wait(&mut fds)?;
        let (dialled, ended) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        ensure(dialled || ended, || "a connection was neither forwarded nor dropped".to_owned())?;
        if dialled { Ok(Decision::Forwarded(self.accept()?)) } else { Ok(Decision::Dropped) }
    }

    /// The upstream's ends of connections that have been dialled by now.
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

/// The route of the lane of that `number`, in the config's words; `keys` are further ones of it.
pub fn config(ip: Ipv4Addr, number: u16, name: &str, dial: Dial, keys: &str) -> String {
    let listen = listen_port(number);
    let upstream = if dial == Dial::Refused { CLOSED_PORT } else { upstream_port(number) };
    format!(r#"{{"localPort": {listen}, "bind": "{ip}", "upstream": "{ip}:{upstream}", "name": "{name}"{keys}}}"#)
}

/// Below the ephemeral ports, as all of them: no client is given it as its own.
const CLOSED_PORT: u16 = 7999;

fn listen_port(number: u16) -> u16 {
    8000 + number
}

fn upstream_port(number: u16) -> u16 {
    9000 + number
}

/// Connects until the kernel answers no more. It does not refuse what the backlog can't take but drops it (listen(2)), so
/// that a dial hangs as it would on a host that is not there.
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
