//! `poll(2)` with a deadline: the one way in which the proxy waits for sockets and for time at once.

use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

/// The kernel rounds a poll up by a thousandth of its timeout (`__estimate_accuracy` in `fs/select.c`), so a long one ends
/// ahead of time by twice that, and a short one makes up for it.
const EARLY: u32 = 500;

/// Returns when one of `fds` has something to tell (its `revents`), or no earlier than `due`.
pub fn wait(fds: &mut [PollFd<'_>], due: Option<Instant>) {
    loop {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // A Timespec holds 292 billion years: more than any Duration that this crate makes.
        let timeout = left.and_then(|left| Timespec::try_from(left.saturating_sub(left / EARLY)).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(0) if left != Some(Duration::ZERO) => {}
            Ok(_) => return,
            Err(Errno::INTR) => {}
            // ENOMEM is the one other error that valid descriptors can meet; memory comes back or the process ends.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
