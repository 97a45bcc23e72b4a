//! Whether the peer's kernel has all that was written to a socket: a reset discards what ours still has to send.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::sock_diag;
use super::wait::wait;

/// Between two looks, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits until the peer's kernel has everything, at most until `due`. A peer that reads slowly may take its time, as
/// it may before a FIN; one that is gone has nothing unacknowledged.
pub fn await_acknowledgement(stream: &TcpStream, due: Option<Instant>) {
    let mut pause = FIRST_PAUSE;
    while has_unacknowledged(stream) && due.is_none_or(|due| Instant::now() < due) {
        let mut fds = [PollFd::new(stream, PollFlags::empty())];
        wait(&mut fds, Some(Instant::now() + pause));
        if !fds[0].revents().is_empty() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the peer's kernel lacks something that was written to `stream`.
pub fn has_unacknowledged(stream: &TcpStream) -> bool {
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else { return false };
    sock_diag::lookup(here, there).is_some_and(|socket| socket.unacknowledged > 0)
}
