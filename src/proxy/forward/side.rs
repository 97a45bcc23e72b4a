//! One side of a connection: the source or the sink of a direction.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use rustix::event::PollFlags;

use crate::event::CloseReason;
use crate::proxy::state::{ConnectionState, Progress};
use crate::value::Direction;

#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub stream: &'a TcpStream,
    /// The progress of the direction that writes to this side.
    progress: &'a Progress,
    /// Why the connection ends if this side is reset.
    pub reset_reason: CloseReason,
}

/// The source and the sink of a direction.
pub fn source_and_sink<'a>(
    state: &'a ConnectionState,
    upstream: &'a TcpStream,
    direction: Direction,
) -> (Side<'a>, Side<'a>) {
    let client = Side {
        stream: state.client(),
        progress: state.progress(Direction::Downstream),
        reset_reason: CloseReason::ClientReset,
    };
    let upstream = Side {
        stream: upstream,
        progress: state.progress(Direction::Upstream),
        reset_reason: CloseReason::UpstreamReset,
    };
    match direction {
        Direction::Upstream => (client, upstream),
        Direction::Downstream => (upstream, client),
    }
}

impl Side<'_> {
    /// Whether a poll that returned `revents` shows that this side was reset.
    pub fn is_reset(&self, revents: PollFlags) -> bool {
        revents.contains(PollFlags::ERR) || (revents.contains(PollFlags::HUP) && self.is_closed_by_reset())
    }

    /// Whether an end of stream is a reset without a FIN before it. A socket reports a reset only once: if the other
    /// direction's write receives the error, the next read returns 0 although no FIN arrived.
    pub fn eof_is_reset(&self) -> bool {
        self.is_closed_by_reset() && !self.has_received_fin()
    }

    /// A reset socket has no peer address. After a FIN from the peer it keeps the address until our own FIN is sent as
    /// well (`inet_getname` in `net/ipv4/af_inet.c`). `finished` is set before that FIN, so it is checked again after
    /// the call.
    fn is_closed_by_reset(&self) -> bool {
        let finished = || self.progress.finished.load(Ordering::SeqCst);
        // The first check saves the system call for most streams.
        !finished() && self.stream.peer_addr().is_err() && !finished()
    }

    /// Whether a FIN arrived before the reset: then the error is EPIPE (`tcp_reset` in `net/ipv4/tcp_input.c`).
    fn has_received_fin(&self) -> bool {
        self.stream.take_error().is_ok_and(|error| error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
    }
}
