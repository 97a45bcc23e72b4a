//! Reads from a socket with a deadline.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The time limit of reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadLimit {
    /// All reads end by this time.
    Until(Instant),
    /// Each single read takes at most this long.
    Each(Duration),
}

impl ReadLimit {
    pub(super) fn within(duration: Duration) -> Self {
        Self::Until(Instant::now() + duration)
    }

    /// The time left for the next read.
    fn left(self) -> Duration {
        match self {
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::Each(longest) => longest,
        }
    }
}

/// Enforces a deadline over several reads: `SO_RCVTIMEO` alone would restart with each byte.
pub(super) struct TimedReader<'a> {
    pub(super) stream: &'a TcpStream,
    pub(super) limit: ReadLimit,
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.limit.left();
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(buffer) {
                // A signal interrupts a read with a timeout, even with SA_RESTART (signal(7)). The signal that starts
                // the drain must not fail a request.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
