//! Reads from a socket that end in time.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a read may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadLimit {
    /// All reads end by this time.
    Until(Instant),
    /// Each read on its own takes at most this long.
    Each(Duration),
}

impl ReadLimit {
    pub(super) fn within(duration: Duration) -> Self {
        Self::Until(Instant::now() + duration)
    }

    /// Time left for the next read.
    fn left(self) -> Duration {
        match self {
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::Each(longest) => longest,
        }
    }
}

/// `SO_RCVTIMEO` alone would start anew with each byte.
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
                // A signal ends a read that has a timeout, SA_RESTART or not (signal(7)). The one that asks the proxy
                // to drain must not cost a request.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
