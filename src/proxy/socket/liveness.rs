//! When to look whether a client that is being made to wait is still there: now and then, and at once when its FIN comes.
//! What is seen then is `presence`.

use std::time::{Duration, Instant};

use rustix::event::PollFlags;

/// The pauses between looks. They are short after the client's FIN, since close(2) sends that a moment before the socket
/// counts as closed, and double up to the longest; which is also how often one is looked at whose FIN may be stuck
/// behind data that we don't take.
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
    /// The first look is due at once: who has been seen to be here can be missed later.
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

    /// Whether it is time to look, after a poll of the client that `told` this.
    pub fn is_due(&mut self, told: PollFlags) -> bool {
        let fin_is_news = (told & self.interest).contains(PollFlags::RDHUP);
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
