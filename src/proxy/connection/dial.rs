//! Connecting to an upstream: with a timeout, and given up at once when the client is reset.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_oobinline;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::event::CloseReason;
use crate::proxy::socket::keepalive::notice_silence;
use crate::proxy::socket::reset::reset;
use crate::proxy::socket::wait::wait;
use crate::proxy::state::ConnectionState;

/// Why there is no connection to the upstream.
#[derive(Debug)]
pub enum DialError {
    /// This machine has no descriptor or no memory for it.
    Starved(io::Error),
    /// It refused, or no route leads to it.
    Failed(io::Error),
    /// It did not answer in time.
    TimedOut,
    /// The client was reset or cut.
    Left(CloseReason),
}

/// Connects to `upstream`, which has `timeout` to accept. A FIN of the client is no reason to stop: a client that sends
/// something and closes wants it delivered.
pub fn dial(upstream: SocketAddr, timeout: Duration, state: &ConnectionState) -> Result<TcpStream, DialError> {
    let stream = begin(upstream)?;
    let mut fds = [PollFd::new(&stream, PollFlags::OUT), PollFd::new(state.client(), PollFlags::empty())];
    wait(&mut fds, Some(Instant::now() + timeout));
    let [dialled, client] = fds.map(|fd| fd.revents());
    if let Err(why) = state.check(client) {
        reset(&stream);
        return Err(DialError::Left(why));
    }
    if dialled.is_empty() { Err(DialError::TimedOut) } else { finish(stream).map_err(DialError::Failed) }
}

/// std's `connect_timeout` can be waited for, but not together with the client.
fn begin(upstream: SocketAddr) -> Result<TcpStream, DialError> {
    let family = if upstream.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let starved = |error: Errno| DialError::Starved(error.into());
    let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(starved)?;
    // Before the upstream can send any: of two urgent bytes the kernel would keep one (`tcp_check_urg` in
    // `net/ipv4/tcp_input.c`).
    set_socket_oobinline(&socket, true).map_err(starved)?;
    match connect(&socket, &upstream) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(DialError::Failed(error.into())),
    }
}

fn finish(stream: TcpStream) -> io::Result<TcpStream> {
    if let Some(error) = stream.take_error()?.filter(is_failure) {
        return Err(error);
    }
    // If no process listens on a port of the ephemeral range, the kernel may pick that very port as the source, and the
    // socket connects to itself (simultaneous open, RFC 9293 section 3.5): the client would get its own bytes back.
    if stream.peer_addr().ok() == Some(stream.local_addr()?) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    notice_silence(&stream)?;
    Ok(stream)
}

/// A reset is none: it comes only after the upstream has accepted, as an attempt is refused otherwise (`tcp_reset` in
/// `net/ipv4/tcp_input.c`), and what the upstream said before it can still be read.
fn is_failure(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};

    use rustix::net::{SendFlags, send};

    use super::*;

    /// It has accepted, however soon it aborts: what it sent is read, and it is not reported as unreachable.
    #[test]
    fn an_upstream_that_has_reset_was_reached() {
        for half_closes in [None, Some(Shutdown::Write)] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let stream = begin(listener.local_addr().expect("bound")).expect("a socket");
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

    /// Both may come before the dial is over.
    #[test]
    fn urgent_bytes_of_the_upstream_stay_in_the_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = begin(listener.local_addr().expect("bound")).expect("a socket");
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
