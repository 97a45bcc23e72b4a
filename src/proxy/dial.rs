//! Connecting to an upstream: with a timeout, and given up at once when the client is reset.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::client::{Client, Woken};
use super::keepalive::notice_silence;
use super::reset::reset;
use crate::event::End;

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
    Left(End),
}

/// Connects to `upstream`, which has `timeout` to accept.
pub fn dial(upstream: SocketAddr, timeout: Duration, client: &Client) -> Result<TcpStream, DialError> {
    let stream = begin(upstream)?;
    let due = Instant::now() + timeout;
    match client.wait_for(PollFd::new(&stream, PollFlags::OUT), due) {
        Ok(Woken::Ready) => finish(stream).map_err(DialError::Failed),
        Ok(Woken::Due) => Err(DialError::TimedOut),
        Err(why) => {
            reset(&stream);
            Err(DialError::Left(why))
        }
    }
}

/// std's `connect_timeout` can be waited for, but not together with the client.
fn begin(upstream: SocketAddr) -> Result<TcpStream, DialError> {
    let family = if upstream.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let starved = |error: Errno| DialError::Starved(error.into());
    let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(starved)?;
    match connect(&socket, &upstream) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(DialError::Failed(error.into())),
    }
}

fn finish(stream: TcpStream) -> io::Result<TcpStream> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Where nobody listens on a port of the ephemeral range, the kernel may pick that very port as the source, and the
    // socket connects to itself (simultaneous open, RFC 9293 section 3.5): the client would talk to its own echo.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    notice_silence(&stream)?;
    Ok(stream)
}
