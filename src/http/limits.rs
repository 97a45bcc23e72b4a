//! Limits on the size of requests, on time and on the number of connections.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The limits of one server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections at once. Further ones stay in the kernel's backlog until one ends or can be replaced.
    pub connections: NonZeroUsize,
    /// The most streams at once. They last for as long as their clients want and can't be replaced, so there must be
    /// fewer of them than connections.
    pub streams: usize,
    /// At the connection limit, a connection that has been without a whole request for this long is closed for a new
    /// one.
    pub replaceable_after: Duration,
    /// The most bytes in a head, including its empty line.
    pub head_bytes: usize,
    /// The most header lines.
    pub header_lines: usize,
    /// The most bytes in a body. A body is buffered completely: most clients read no response before they have sent
    /// everything, so an earlier response would block both sides once the buffers between them are full.
    pub body_bytes: u64,
    /// The time from the accept to the first byte of the first request.
    pub first_request: Duration,
    /// The time from the end of a response to the first byte of the next request.
    pub next_request: Duration,
    /// The time from the first byte of a head to its empty line.
    pub head: Duration,
    /// The time between two bytes of a body or a response. At the connection limit also the time for a whole response:
    /// then a connection whose client takes longer to read it is closed for a new one.
    pub stall: Duration,
    /// The time from the end of the last response to the close, for the client to read it and close.
    pub linger: Duration,
}

#[cfg(test)]
impl Limits {
    /// Small enough to reach in a unit test.
    pub(super) const SMALL: Self = Self {
        connections: NonZeroUsize::MIN,
        streams: 0,
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
