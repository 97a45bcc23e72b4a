//! When to check whether a waiting client is still there: periodically, and as soon as its FIN arrives. The check
//! itself is `presence`.

use std::time::{Duration, Instant};

use rustix::event::PollFlags;

/// The pause between checks. After the client's FIN it starts short, since close(2) sends the FIN a moment before the
/// kernel releases the socket, and doubles up to the longest. Before a FIN it is the longest: without reading, a FIN
/// may go unnoticed after unread data.
pub const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct LivenessProbe {
    /// RDHUP until the FIN has arrived. After that it would end every poll at once.
    interest: PollFlags,
    pause: Duration,
    next_check: Instant,
}

impl LivenessProbe {
    /// The first check is due at once, so that a local client is known to be local.
    pub fn begin() -> Self {
        Self { interest: PollFlags::RDHUP, pause: LONGEST_PAUSE, next_check: Instant::now() }
    }

    /// What to poll the client for.
    pub fn interest(&self) -> PollFlags {
        self.interest
    }

    /// The latest time for the next check.
    pub fn next_check(&self) -> Instant {
        self.next_check
    }

    /// Whether a check is due after a poll of the client that returned `revents`.
    pub fn is_due(&mut self, revents: PollFlags) -> bool {
        let is_first_fin = (revents & self.interest).contains(PollFlags::RDHUP);
        let now = Instant::now();
        if !is_first_fin && now < self.next_check {
            return false;
        }
        if is_first_fin {
            self.interest = PollFlags::empty();
        }
        self.pause = if is_first_fin { FIRST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.next_check = now + self.pause;
        true
    }
}
