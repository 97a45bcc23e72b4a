//! How long a toxic may hold the bytes of a client that has left. The toxic may still be removed, and then they are
//! delivered. When it can't be removed any more, or has held them for too long, they are given up.

use std::time::{Duration, Instant};

use crate::stop::Latch;

/// As long as Linux retransmits bytes that are never acknowledged (`tcp_retries2` in tcp(7)).
const LONGEST_HOLD: Duration = Duration::from_millis(924_600);

#[derive(Debug, Default)]
pub struct HoldLimit {
    /// When the client was first found to have left.
    left_at: Option<Instant>,
}

impl HoldLimit {
    /// The client is there, or its bytes are not held forever.
    pub fn reset(&mut self) {
        self.left_at = None;
    }

    /// Whether the bytes of a client that has left are given up. Toxics don't change any more once `draining` is
    /// triggered.
    pub fn has_expired(&mut self, draining: &Latch) -> bool {
        let left_at = *self.left_at.get_or_insert_with(Instant::now);
        draining.is_triggered() || left_at.elapsed() > LONGEST_HOLD
    }
}
