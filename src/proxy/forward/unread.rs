//! The arrival time of bytes that waited in the receive queue before they were read. So a paced stream keeps its rate
//! even if its thread wakes up late.

use std::net::TcpStream;

use rustix::io::ioctl_fionread;

use crate::toxic::Moment;

/// Bytes that were in the source's receive queue when it was last checked, and are still unread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unread {
    bytes: usize,
    since: Moment,
}

impl Unread {
    /// Returns the arrival time of `read` bytes, of which `most` were asked for: now, or the time of the last check if
    /// they were in the receive queue by then.
    pub fn arrival(&mut self, read: usize, most: usize, source: &TcpStream, now: impl Fn() -> Moment) -> Moment {
        let arrived = now();
        if let Some(left) = self.bytes.checked_sub(read) {
            self.bytes = left;
            return self.since;
        }
        let left = if read == most { ioctl_fionread(source).unwrap_or(0) } else { 0 };
        // Not `arrived`, which is earlier: bytes that arrived in between must not be sent too early.
        *self = Self { bytes: usize::try_from(left).unwrap_or(usize::MAX), since: now() };
        arrived
    }
}
