//! One side of a connection as a direction sees it: where its bytes come from, or where they go.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::event::PollFlags;

use crate::event::CloseReason;

pub struct Side<'a> {
    pub stream: &'a TcpStream,
    /// Of the direction that it is the sink of.
    pub progress: &'a Progress,
    /// Why the connection ends if this side ends it in good order.
    pub closed: CloseReason,
    /// Why it ends if this side is reset.
    pub lost: CloseReason,
}

/// How far one direction has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Those that the sink's kernel has taken.
    pub bytes: AtomicU64,
    /// Set before our own FIN goes out in this direction.
    pub finished: AtomicBool,
}

impl Side<'_> {
    /// Whether it was reset, after a poll that `told` this.
    pub fn is_reset(&self, told: PollFlags) -> bool {
        told.contains(PollFlags::ERR) || (told.contains(PollFlags::HUP) && self.eof_is_reset())
    }

    /// Whether what reads as an end of stream is a reset. A socket tells of its reset once; if the other pump's write
    /// was told, this one's read sees an end of stream. But a stream that has only ended still has a peer, until our own
    /// FIN is out as well (`inet_getname` in `net/ipv4/af_inet.c`). In this order: `finished` is set before that FIN.
    pub fn eof_is_reset(&self) -> bool {
        let finished = || self.progress.finished.load(Ordering::SeqCst);
        // The first look spares most ends the call.
        !finished() && self.stream.peer_addr().is_err() && !finished()
    }
}
