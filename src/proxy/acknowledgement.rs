//! Whether the peer's kernel has all that was written to a socket: a reset discards what ours still has to send.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::sock_diag;
use super::wait::wait;

/// Between two looks, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A peer that takes nothing of what was sent to it for so long is not reading.
pub const STANDSTILL: Duration = Duration::from_secs(5);

/// Waits until the peer's kernel has everything, at most until `due`; returns whether it has. A peer that reads slowly may
/// take its time, as it may before a FIN, but not one that stands still. One that is gone has nothing unacknowledged.
pub fn await_acknowledgement(stream: &TcpStream, due: Option<Instant>) -> bool {
    let (mut pause, mut least, mut due_to_move) = (FIRST_PAUSE, u32::MAX, Instant::now() + STANDSTILL);
    loop {
        let (left, now) = (unacknowledged(stream), Instant::now());
        if left < least {
            (least, due_to_move) = (left, now + STANDSTILL);
        }
        if left == 0 || now >= due_to_move || due.is_some_and(|due| now >= due) {
            return left == 0;
        }
        let mut fds = [PollFd::new(stream, PollFlags::empty())];
        wait(&mut fds, Some(now + pause));
        if !fds[0].revents().is_empty() {
            return true;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How much of what was written to `stream` the peer's kernel lacks.
pub fn unacknowledged(stream: &TcpStream) -> u32 {
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else { return 0 };
    sock_diag::lookup(here, there).map_or(0, |socket| socket.unacknowledged)
}
