//! Whether the peer's kernel has all that was written to a socket, as a reset discards what ours still has to send, and
//! whether a peer that lacks something is slow or stands still.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::proxy::socket::sock_diag;
use crate::proxy::socket::wait::wait;

/// Between two looks, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A peer that takes nothing of what was sent to it for so long is not reading.
const STANDSTILL: Duration = Duration::from_secs(5);

/// A peer that has not been seen to move.
#[derive(Debug)]
pub struct Standstill {
    since: Instant,
    seen: Backlog,
}

/// What was sent to a peer: what its kernel lacks, and what its process has not read, as far as it runs on this machine.
/// There a slow reader makes room long before its kernel tells: on loopback once in 128 KiB.
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

/// Waits until the peer's kernel has everything, at most until `due`; returns whether it has. A peer that reads slowly may
/// take its time, as it may before a FIN, but not one that stands still. One that is gone has nothing unacknowledged.
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

/// How much of what was written to `stream` the peer's kernel lacks. Where there is no descriptor or memory to ask with,
/// that may be anything.
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
