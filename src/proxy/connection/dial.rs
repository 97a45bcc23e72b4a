//! Connects to an upstream with a timeout. Gives up at once if the client is reset.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::event::CloseReason;
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

/// Connects to `upstream` within `timeout`. A FIN from the client does not stop the dial: the bytes that a client sends
/// before it closes are still delivered.
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

/// Starts a non-blocking connect. std's `connect_timeout` can't watch the client at the same time.
fn begin(upstream: SocketAddr) -> Result<TcpStream, DialError> {
    let family = if upstream.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let starved = |error: Errno| DialError::Starved(error.into());
    let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(starved)?;
    set_options(&socket).map_err(DialError::Starved)?;
    match connect(&socket, &upstream) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
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

    /// An upstream that resets right after the accept is not reported as unreachable, and the bytes it sent are
    /// readable.
    #[test]
    fn an_upstream_that_resets_after_the_accept_was_reached() {
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

    /// The urgent bytes may arrive before the dial is over.
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
