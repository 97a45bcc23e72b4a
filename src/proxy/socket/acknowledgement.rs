//! Waits for the peer's acknowledgement of written bytes, because a reset discards the others. Also distinguishes a
//! slow peer from one that has stopped reading.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::proxy::socket::sock_diag;
use crate::proxy::socket::wait::wait;
use crate::stop::Latch;

/// The pause between checks doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A peer that accepts no bytes for this long has stopped reading.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// Detects a peer that has stopped reading.
#[derive(Debug)]
pub struct ProgressTimeout {
    since: Instant,
    seen: Undelivered,
}

/// The bytes that a peer has not received: those that its kernel has not acknowledged and, if the peer is local, those
/// that its process has not read. On loopback the kernel acknowledges the progress of a slow reader only once per 128
/// KiB.
#[derive(Debug, PartialEq, Eq)]
struct Undelivered {
    unacknowledged: u32,
    unread: Option<u32>,
}

impl ProgressTimeout {
    pub fn begin(stream: &TcpStream) -> Self {
        Self { since: Instant::now(), seen: Undelivered::of(stream) }
    }

    /// When to check again.
    pub fn due(&self) -> Instant {
        self.since + PROGRESS_TIMEOUT
    }

    /// Whether the peer has received nothing since the last check. Always false before [`due`](Self::due).
    pub fn has_expired(&mut self, stream: &TcpStream) -> bool {
        if Instant::now() < self.due() {
            return false;
        }
        let last = std::mem::replace(self, Self::begin(stream));
        last.seen == self.seen
    }
}

impl Undelivered {
    fn of(stream: &TcpStream) -> Self {
        let unread = addresses(stream).and_then(|(here, there)| sock_diag::lookup(there, here).ok());
        Self { unacknowledged: unacknowledged(stream), unread: unread.map(|socket| socket.unread) }
    }
}

/// Waits until the peer's kernel has acknowledged all bytes, at most until `due` or, within the longest pause,
/// `change`. Returns whether it has. A peer that reads slowly may take any time, as it may before a FIN, but one that
/// has stopped reading may not. A peer that is gone has nothing unacknowledged.
pub fn await_acknowledgement(stream: &TcpStream, due: Option<Instant>, change: Option<&Latch>) -> bool {
    let (mut pause, mut progress_timeout) = (FIRST_PAUSE, None);
    while unacknowledged(stream) > 0 {
        let has_stopped = progress_timeout.get_or_insert_with(|| ProgressTimeout::begin(stream)).has_expired(stream);
        let is_due = due.is_some_and(|due| Instant::now() >= due);
        if has_stopped || is_due || change.is_some_and(Latch::is_triggered) {
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

/// The number of bytes written to `stream` that the peer's kernel has not acknowledged. `u32::MAX` if no descriptor or
/// memory is left to find out.
pub fn unacknowledged(stream: &TcpStream) -> u32 {
    match addresses(stream).map(|(here, there)| sock_diag::lookup(here, there)) {
        Some(Ok(socket)) => socket.unacknowledged,
        Some(Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => u32::MAX,
        Some(Err(_)) | None => 0,
    }
}

fn addresses(stream: &TcpStream) -> Option<(SocketAddr, SocketAddr)> {
    Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
}
