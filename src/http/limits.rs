//! How much a server takes from one client, and for how long it waits.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The limits of one server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest number of connections at once. Further ones stay in the kernel's backlog until one ends or can be replaced.
    pub connections: NonZeroUsize,
    /// A connection that has waited for this long for a whole request can be replaced: at the largest number of connections,
    /// it is closed for a new one.
    pub replaceable_after: Duration,
    /// Longest head in bytes, from its first byte to its empty line.
    pub head_bytes: usize,
    /// Largest number of header lines.
    pub header_lines: usize,
    /// Largest body in bytes. A body is held in memory until all of it has arrived: most clients read no answer before they
    /// have sent everything, so an earlier answer would block both sides once the buffers between them are full.
    pub body_bytes: u64,
    /// From the accept to the first byte of the first request.
    pub first_request: Duration,
    /// From the end of an answer to the first byte of the next request.
    pub next_request: Duration,
    /// From the first byte of a head to its empty line.
    pub head: Duration,
    /// Between two bytes of a body, or of an answer.
    pub stall: Duration,
    /// From the end of the last answer to the close, for the client to read it and leave.
    pub linger: Duration,
}

#[cfg(test)]
impl Limits {
    /// Small enough to reach in a unit test.
    pub(super) const SMALL: Self = Self {
        connections: NonZeroUsize::MIN,
        replaceable_after: Duration::from_secs(30),
        head_bytes: 1024,
        header_lines: 8,
        body_bytes: 4096,
        first_request: Duration::from_secs(30),
        next_request: Duration::from_secs(30),
        head: Duration::from_secs(30),
        stall: Duration::from_secs(30),
        linger: Duration::from_secs(30),
    };
}
