//! Connects to an upstream with a timeout. Gives up at once if the client is reset.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, getsockname, socket_with};

use crate::event::CloseReason;
use crate::plan::{Transparency, Upstream};
use crate::proxy::own_sources::{OwnSource, OwnSources};
use crate::proxy::socket::interception::{bind_transparently, canonical};
use crate::proxy::socket::options::set_options;
use crate::proxy::socket::reset::reset;
use crate::proxy::socket::wait::wait;
use crate::proxy::state::ConnectionState;

/// Why there is no connection to the upstream.
#[derive(Debug)]
pub enum DialError {
    /// This machine has no descriptor or memory left for the socket.
    Starved(io::Error),
    /// The upstream refused, or no network route leads to it.
    Failed(io::Error),
    /// The upstream did not answer in time.
    TimedOut,
    /// The client was reset or cut.
    Left(CloseReason),
}

/// A connection to an upstream.
#[derive(Debug)]
pub struct Dialled {
    pub stream: TcpStream,
    /// Its source address, if it may come back to this process.
    pub source: Option<OwnSource>,
}

/// Connects to `upstream` within the timeout of the route. A FIN from the client does not stop the dial: the bytes that a
/// client sends before it closes are still delivered.
pub fn dial(upstream: SocketAddr, state: &ConnectionState, sources: &Arc<OwnSources>) -> Result<Dialled, DialError> {
    let timeout = state.subject.route.connect_timeout.duration();
    let socket = open(upstream)?;
    if state.subject.route.transparency == Transparency::Transparent {
        bind_transparently(&socket, state.subject.client.ip()).map_err(DialError::Failed)?;
    }
    let source = begin_listed(&socket, upstream, state, sources)?;
    let stream = TcpStream::from(socket);
    let mut fds = [PollFd::new(&stream, PollFlags::OUT), PollFd::new(state.client(), PollFlags::empty())];
    wait(&mut fds, Some(Instant::now() + timeout));
    let [dialled, client] = fds.map(|fd| fd.revents());
    if let Err(why) = state.check(client) {
        reset(&stream);
        return Err(DialError::Left(why));
    }
    if dialled.is_empty() {
        return Err(DialError::TimedOut);
    }
    finish(stream).map(|stream| Dialled { stream, source }).map_err(DialError::Failed)
}

/// Begins the connect. A connection to an original destination may come back to this process.
fn begin_listed(
    socket: &OwnedFd,
    upstream: SocketAddr,
    state: &ConnectionState,
    sources: &Arc<OwnSources>,
) -> Result<Option<OwnSource>, DialError> {
    if state.subject.route.upstream != Upstream::ORIGINAL {
        return begin(socket, upstream).map(|()| None);
    }
    let connect = || {
        begin(socket, upstream)?;
        let source = getsockname(socket).and_then(SocketAddr::try_from);
        source.map(canonical).map_err(|error| DialError::Failed(error.into()))
    };
    sources.list(connect).map(Some)
}

fn open(upstream: SocketAddr) -> Result<OwnedFd, DialError> {
    let family = if upstream.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let starved = |error: Errno| DialError::Starved(error.into());
    let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(starved)?;
    set_options(&socket).map_err(DialError::Starved)?;
    Ok(socket)
}

/// Starts a non-blocking connect. std's `connect_timeout` can't watch the client at the same time.
fn begin(socket: &OwnedFd, upstream: SocketAddr) -> Result<(), DialError> {
    match connect(socket, &upstream) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(DialError::Failed(error.into())),
    }
}

fn finish(stream: TcpStream) -> io::Result<TcpStream> {
    if let Some(error) = stream.take_error()?.filter(is_failure) {
        return Err(error);
    }
    // If no process listens on a port of the ephemeral range, the kernel may pick that port as the source, and the
    // socket connects to itself (simultaneous open, RFC 9293, section 3.5). The client would then receive its own
    // bytes.
    if stream.peer_addr().ok() == Some(stream.local_addr()?) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// A reset is not a failed dial: before the upstream accepts, the kernel reports a refusal instead (`tcp_reset` in
/// `net/ipv4/tcp_input.c`). So the upstream has accepted, and the bytes it sent before the reset can still be read.
fn is_failure(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};

    use rustix::net::{SendFlags, send};

    use super::*;

    fn dialled(listener: &TcpListener) -> TcpStream {
        let addr = listener.local_addr().expect("bound");
        let socket = open(addr).expect("a socket");
        begin(&socket, addr).expect("a listener");
        TcpStream::from(socket)
    }

    /// An upstream that resets right after the accept is not reported as unreachable, and the bytes it sent are
    /// readable.
    #[test]
    fn an_upstream_that_resets_after_the_accept_was_reached() {
        for half_closes in [None, Some(Shutdown::Write)] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let stream = dialled(&listener);
            let (mut upstream, _) = listener.accept().expect("a client");
            upstream.write_all(b"busy").expect("connected");
            if let Some(how) = half_closes {
                upstream.shutdown(how).expect("connected");
            }
            reset(&upstream);
            while stream.peer_addr().is_ok() {
                std::thread::yield_now();
            }
            let mut answer = [0; 4];
            finish(stream).expect("reached").read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"busy");
        }
    }

    /// The urgent bytes may arrive before the dial is over.
    #[test]
    fn urgent_bytes_of_the_upstream_stay_in_the_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = dialled(&listener);
        let (upstream, _) = listener.accept().expect("a client");
        for byte in b"ab" {
            send(&upstream, &[*byte], SendFlags::OOB).expect("connected");
        }
        upstream.shutdown(Shutdown::Write).expect("connected");
        let mut answer = Vec::new();
        finish(stream).expect("reached").read_to_end(&mut answer).expect("an answer");
        assert_eq!(answer, b"ab");
    }
}
