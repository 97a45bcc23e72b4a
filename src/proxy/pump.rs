//! The two directions of a connection. Each is a blocking copy on a thread of its own; here is how their ends meet:
//! a FIN travels on as a FIN while the other direction runs on, and a reset ends both sides with a reset.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags};

use super::client::Client;
use super::relay::{Relay, Stopped};
use super::wait::wait;
use crate::event::End;
use crate::plan::Direction;

/// A client and its upstream, joined. Both threads hold one: the streams are never cloned, which would double their
/// descriptors.
#[derive(Debug)]
pub struct Link {
    client: Arc<Client>,
    upstream: Arc<TcpStream>,
    up: Progress,
    down: Progress,
    first_fin: OnceLock<End>,
}

/// How far one direction has come.
#[derive(Debug, Default)]
struct Progress {
    bytes: AtomicU64,
    /// Set before our own FIN goes out in this direction.
    finished: AtomicBool,
}

impl Link {
    pub fn new(client: Arc<Client>, upstream: TcpStream) -> Self {
        let upstream = Arc::new(upstream);
        client.join(Arc::clone(&upstream));
        Self { client, upstream, up: Progress::default(), down: Progress::default(), first_fin: OnceLock::new() }
    }

    /// Copies one direction to its end. Comes back only when the connection as a whole needs this direction no more.
    pub fn pump(&self, direction: Direction) {
        let (source, sink) = self.ends(direction);
        let relay = Relay { source: source.stream, sink: sink.stream, moved: &sink.progress.bytes };
        match relay.run() {
            Stopped::Eof if source.torn() => self.abort(source.lost),
            Stopped::Eof => self.pass_fin_on(&source, &sink),
            Stopped::SourceLost => self.abort(source.lost),
            Stopped::SinkLost => self.abort(sink.lost),
        }
    }

    /// The bytes that the sinks have taken so far, up and down.
    pub fn bytes(&self) -> (u64, u64) {
        (self.up.bytes.load(Ordering::Relaxed), self.down.bytes.load(Ordering::Relaxed))
    }

    /// Resets both sides.
    pub fn abort(&self, why: End) {
        self.client.abort(why);
    }

    /// Why the connection ended, once both pumps are back.
    pub fn end(&self) -> End {
        let in_good_order = self.first_fin.get().copied();
        self.client.aborted().or(in_good_order).unwrap_or(End::Cut)
    }

    /// Sends the FIN on, then stays until the source is closed in the other direction too: a source that has finished
    /// its sending may still be reset, and nobody else reads from it any more.
    fn pass_fin_on(&self, source: &Side<'_>, sink: &Side<'_>) {
        let _ = self.first_fin.set(source.closed);
        sink.progress.finished.store(true, Ordering::SeqCst);
        if sink.stream.shutdown(Shutdown::Write).is_err() {
            return self.abort(sink.lost);
        }
        let mut fds = [PollFd::new(source.stream, PollFlags::empty())];
        wait(&mut fds, None);
        if fds[0].revents().contains(PollFlags::ERR) {
            self.abort(source.lost);
        }
    }

    fn ends(&self, direction: Direction) -> (Side<'_>, Side<'_>) {
        let client = Side {
            stream: self.client.stream(),
            progress: &self.down,
            closed: End::ClientClosed,
            lost: End::ClientReset,
        };
        let upstream =
            Side { stream: &self.upstream, progress: &self.up, closed: End::UpstreamClosed, lost: End::UpstreamReset };
        match direction {
            Direction::Upstream => (client, upstream),
            Direction::Downstream => (upstream, client),
        }
    }
}

/// One side as a pump sees it.
struct Side<'a> {
    stream: &'a TcpStream,
    /// Of the direction that it is the sink of.
    progress: &'a Progress,
    closed: End,
    lost: End,
}

impl Side<'_> {
    /// Whether what reads as an end of stream is a reset. A socket tells of its reset once; if the other pump's write
    /// was told, this one's read sees an end of stream. But a stream that has only ended still has a peer, until our own
    /// FIN is out as well (`inet_getname` in `net/ipv4/af_inet.c`). In this order: `finished` is set before that FIN.
    fn torn(&self) -> bool {
        self.stream.peer_addr().is_err() && !self.progress.finished.load(Ordering::SeqCst)
    }
}
