//! Whether the peer's kernel has acknowledged all that was written to a socket: a reset discards the rest. And whether a
//! peer that has not acknowledged everything is slow, or has stopped reading.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::proxy::socket::sock_diag;
use crate::proxy::socket::wait::wait;

/// The pause between two looks doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A peer that takes nothing for this long has stopped reading.
const STANDSTILL: Duration = Duration::from_secs(5);

/// A peer that takes nothing, as far as was seen.
#[derive(Debug)]
pub struct Standstill {
    since: Instant,
    seen: Backlog,
}

/// What a peer has not taken: bytes that its kernel has not acknowledged, and, on this machine, bytes that its process has
/// not read. On loopback the kernel acknowledges a slow reader's progress only once in 128 KiB.
#[derive(Debug, PartialEq, Eq)]
struct Backlog {
    unacknowledged: u32,
    unread: Option<u32>,
}

impl Standstill {
    pub fn begin(stream: &TcpStream) -> Self {
        Self { since: Instant::now(), seen: Backlog::of(stream) }
    }

    /// When to look again.
    pub fn due(&self) -> Instant {
        self.since + STANDSTILL
    }

    /// Whether it has lasted for too long.
    pub fn is_over(&mut self, stream: &TcpStream) -> bool {
        if Instant::now() < self.due() {
            return false;
        }
        let last = std::mem::replace(self, Self::begin(stream));
        last.seen == self.seen
    }
}

impl Backlog {
    fn of(stream: &TcpStream) -> Self {
        let unread = ends(stream).and_then(|(here, there)| sock_diag::lookup(there, here).ok());
        Self { unacknowledged: unacknowledged(stream), unread: unread.map(|socket| socket.unread) }
    }
}

/// Waits until the peer's kernel has acknowledged everything, at most until `due`; returns whether it has. A peer that
/// reads slowly may take any time, as before a FIN; one that has stopped reading may not. A peer that is gone has nothing
/// unacknowledged.
pub fn await_acknowledgement(stream: &TcpStream, due: Option<Instant>) -> bool {
    let (mut pause, mut standstill) = (FIRST_PAUSE, None);
    while unacknowledged(stream) > 0 {
        let stands_still = standstill.get_or_insert_with(|| Standstill::begin(stream)).is_over(stream);
        if stands_still || due.is_some_and(|due| Instant::now() >= due) {
            return false;
        }
        let mut fds = [PollFd::new(stream, PollFlags::empty())];
        wait(&mut fds, Some(Instant::now() + pause));
        if !fds[0].revents().is_empty() {
            return true;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    true
}

/// The bytes written to `stream` that the peer's kernel has not acknowledged. `u32::MAX` if there is no descriptor or
/// memory left to find out.
pub fn unacknowledged(stream: &TcpStream) -> u32 {
    match ends(stream).map(|(here, there)| sock_diag::lookup(here, there)) {
        Some(Ok(socket)) => socket.unacknowledged,
        Some(Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => u32::MAX,
        Some(Err(_)) | None => 0,
    }
}

fn ends(stream: &TcpStream) -> Option<(SocketAddr, SocketAddr)> {
    Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
}
