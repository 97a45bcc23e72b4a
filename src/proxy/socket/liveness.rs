//! When to look whether a waiting client is still there: from time to time, and at once when its FIN comes. `presence` does
//! the looking.

use std::time::{Duration, Instant};

use rustix::event::PollFlags;

/// The pauses between looks. After the client's FIN they begin short, since close(2) sends the FIN a moment before the kernel
/// lets go of the socket, and double up to the longest. Before a FIN they are the longest: it may be queued after data that
/// we don't read.
pub const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct LivenessProbe {
    /// RDHUP until the FIN has come: it would end every poll from then on.
    interest: PollFlags,
    pause: Duration,
    next_look: Instant,
}

impl LivenessProbe {
    /// The first look is due at once: a client that was seen on this machine can be missed later.
    pub fn begin() -> Self {
        Self { interest: PollFlags::RDHUP, pause: LONGEST_PAUSE, next_look: Instant::now() }
    }

    /// What to poll the client for.
    pub fn interest(&self) -> PollFlags {
        self.interest
    }

    /// When to look at the latest.
    pub fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Whether it is time to look, after a poll of the client that returned `revents`.
    pub fn is_due(&mut self, revents: PollFlags) -> bool {
        let fin_is_news = (revents & self.interest).contains(PollFlags::RDHUP);
        let now = Instant::now();
        if !fin_is_news && now < self.next_look {
            return false;
        }
        if fin_is_news {
            self.interest = PollFlags::empty();
        }
        self.pause = if fin_is_news { FIRST_LOOK } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.next_look = now + self.pause;
        true
    }
}
