//! One side of a connection as a direction sees it: where its bytes come from, or where they go.

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
    /// Of the direction that it is the sink of.
    progress: &'a Progress,
    /// Why the connection ends if this side is reset.
    pub reset_reason: CloseReason,
}

/// The source and the sink of a direction.
pub fn ends<'a>(state: &'a ConnectionState, upstream: &'a TcpStream, direction: Direction) -> (Side<'a>, Side<'a>) {
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
    /// Whether it was reset, after a poll that returned `revents`.
    pub fn is_reset(&self, revents: PollFlags) -> bool {
        revents.contains(PollFlags::ERR) || (revents.contains(PollFlags::HUP) && self.is_closed_by_reset())
    }

    /// Whether what reads as an end of stream is a reset, and no FIN came before it. A socket reports its reset once: if
    /// the other direction's write got it, this one's read sees an end of stream, and no FIN is known of.
    pub fn eof_is_reset(&self) -> bool {
        self.is_closed_by_reset() && !self.was_finished()
    }

    /// A stream that has only ended still has a peer, until our own FIN is out as well (`inet_getname` in
    /// `net/ipv4/af_inet.c`). In this order: `finished` is set before that FIN.
    fn is_closed_by_reset(&self) -> bool {
        let finished = || self.progress.finished.load(Ordering::SeqCst);
        // The first look spares most ends the call.
        !finished() && self.stream.peer_addr().is_err() && !finished()
    }

    /// Whether its FIN came before its reset: the error is EPIPE then (`tcp_reset` in `net/ipv4/tcp_input.c`).
    fn was_finished(&self) -> bool {
        self.stream.take_error().is_ok_and(|error| error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
    }
}
