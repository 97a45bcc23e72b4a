//! poll(2) with a deadline: the only way in which the proxy waits for sockets and for time together. A wait for a
//! connection also ends when its toxics change.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::stop::Latch;

/// The kernel may extend a poll by a thousandth of its timeout (`__estimate_accuracy` in `fs/select.c`). So each poll
/// ends early by twice that share, and a shorter one waits for the rest.
const EARLY: u32 = 500;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken<const SOCKETS: usize> {
    /// The events of each socket.
    Ready([PollFlags; SOCKETS]),
    /// The deadline passed.
    Due,
    /// The toxics have changed.
    Changed,
}

/// Waits for events of `sockets`, until `due` or until `change` is triggered. Errors and hang-ups of any of the sockets
/// end the wait as well (poll(2)).
pub fn wait_for<const SOCKETS: usize>(
    sockets: [(&TcpStream, PollFlags); SOCKETS],
    due: Option<Instant>,
    change: &Latch,
) -> Woken<SOCKETS> {
    const MAX: usize = 3;
    const { assert!(SOCKETS < MAX, "the latch has a place beside the sockets") };
    let mut fds: [PollFd<'_>; MAX] = std::array::from_fn(|_| PollFd::new(change, PollFlags::IN));
    for (fd, (socket, events)) in fds.iter_mut().zip(sockets) {
        *fd = PollFd::new(socket, events);
    }
    wait(&mut fds[..=SOCKETS], due);
    let revents: [PollFlags; SOCKETS] = std::array::from_fn(|socket| fds[socket].revents());
    if change.is_triggered() {
        Woken::Changed
    } else if revents.iter().any(|events| !events.is_empty()) {
        Woken::Ready(revents)
    } else {
        Woken::Due
    }
}

/// Waits until one of `fds` has events (see its `revents`) or `due` has passed.
pub fn wait(fds: &mut [PollFd<'_>], due: Option<Instant>) {
    loop {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // A `Timespec` holds 292 billion years: more than any `Duration` that this crate creates.
        let timeout = left.and_then(|left| Timespec::try_from(left.saturating_sub(left / EARLY)).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(0) if left != Some(Duration::ZERO) => {}
            Ok(_) => return,
            Err(Errno::INTR) => {}
            // With valid descriptors only ENOMEM is left. Either memory is freed, or the process ends.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
