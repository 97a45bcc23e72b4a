//! The two directions of a connection. Each is a blocking copy on a thread of its own; here is how their ends meet:
//! a FIN travels on as a FIN while the other direction runs on, and a reset ends both sides with a reset.

mod delay_queue;
mod pipe_pool;
mod plain_path;
mod side;
mod toxic_path;

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use crate::event::CloseReason;
use crate::proxy::forward::plain_path::{PlainPath, Stopped};
use crate::proxy::forward::side::{Progress, Side};
use crate::proxy::forward::toxic_path::{Passed, ToxicPath};
use crate::proxy::socket::acknowledgement::{await_acknowledgement, unacknowledged};
use crate::proxy::socket::discard::discard;
use crate::proxy::socket::wait::wait;
use crate::proxy::state::{Client, LINGER};
use crate::toxic::{Chain, ToxicEvent};
use crate::value::{CloseMode, Direction};

/// A client and its upstream, joined. Both threads hold one: the streams are never cloned, which would double their
/// descriptors.
#[derive(Debug)]
pub struct Coupling {
    client: Arc<Client>,
    upstream: Arc<TcpStream>,
    up: Progress,
    down: Progress,
    first_fin: OnceLock<CloseReason>,
    /// Set when a toxic closes the connection, before the FINs that say so.
    closed: OnceLock<CloseReason>,
}

/// What came of a source that had finished its sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// It is closed in the other direction too.
    Over,
    /// It is not, and the time is up.
    Due,
}

/// What acts on the bytes of a direction, and who is told.
pub struct Treatment<'a> {
    pub chain: &'a mut Chain,
    /// What the chain's moments count from.
    pub opened_at: Instant,
    pub tell: &'a dyn Fn(&ToxicEvent),
}

impl Coupling {
    pub fn new(client: Arc<Client>, upstream: TcpStream) -> Self {
        let upstream = Arc::new(upstream);
        client.join(Arc::clone(&upstream));
        Self {
            client,
            upstream,
            up: Progress::default(),
            down: Progress::default(),
            first_fin: OnceLock::new(),
            closed: OnceLock::new(),
        }
    }

    /// Copies one direction to its end. Comes back only when the connection as a whole needs this direction no more.
    pub fn pump(&self, direction: Direction) {
        let (source, sink) = self.ends(direction);
        let plain_path = PlainPath { source: &source, sink: &sink };
        match plain_path.run() {
            Stopped::Eof if source.eof_is_reset() => self.lose(&source, source.lost),
            Stopped::Eof => drop(self.pass_fin_on(direction, None)),
            Stopped::SourceLost => self.lose(&source, source.lost),
            Stopped::SinkLost => drop(self.lose_sink(direction, None)),
        }
    }

    /// The same for a direction that toxics act on. Never inlined, as it needs more stack than the relay.
    #[inline(never)]
    pub fn pump_through(&self, direction: Direction, treatment: Treatment<'_>) {
        let (source, sink) = self.ends(direction);
        let Treatment { chain, opened_at, tell } = treatment;
        let toxic_path = ToxicPath { client: &self.client, direction, source: &source, sink: &sink, opened_at, tell };
        let rest = match toxic_path.run(chain) {
            Passed::Eof => self.pass_fin_on(direction, toxic_path.deadline(chain)),
            Passed::SinkLost => self.lose_sink(direction, toxic_path.deadline(chain)),
            Passed::SourceLost => return self.lose(&source, source.lost),
            Passed::Abandoned(why) => return self.abort(why),
            Passed::Ended(close_mode) => return self.end_by_toxic(close_mode, &source),
        };
        if let Some(close_mode) = (rest == Rest::Due).then(|| toxic_path.strike(chain)).flatten() {
            self.end_by_toxic(close_mode, &source);
        }
    }

    /// The bytes that the sinks have taken so far, up and down.
    pub fn bytes(&self) -> (u64, u64) {
        (self.up.bytes.load(Ordering::Relaxed), self.down.bytes.load(Ordering::Relaxed))
    }

    /// Resets both sides.
    pub fn abort(&self, why: CloseReason) {
        self.client.abort(why);
    }

    /// Why the connection ended, once both pumps are back.
    pub fn end(&self) -> CloseReason {
        let closed = self.closed.get().or(self.first_fin.get()).copied();
        self.client.aborted().or(closed).unwrap_or(CloseReason::Cut)
    }

    /// A side that is lost ends both, unless they are being closed anyway.
    fn lose(&self, source: &Side<'_>, why: CloseReason) {
        match self.closed.get() {
            None => self.abort(why),
            Some(_) => drop(discard(source.stream, Some(Instant::now() + LINGER))),
        }
    }

    fn end_by_toxic(&self, close_mode: CloseMode, source: &Side<'_>) {
        match close_mode {
            CloseMode::Reset => self.abort(CloseReason::ToxicReset),
            CloseMode::Close => self.close(source),
        }
    }

    /// Ends both sides with a FIN, and waits until they have ended theirs. A side that does not is reset in the end, and so
    /// is one that does not read; not while it is reading still, which would discard what passed before the end.
    fn close(&self, source: &Side<'_>) {
        let due = Instant::now() + LINGER;
        let _ = self.closed.set(CloseReason::ToxicClosed);
        let sides = [self.client.stream(), &*self.upstream];
        for side in sides {
            // It fails only for a side that is gone.
            let _ = side.shutdown(Shutdown::Write);
        }
        discard(source.stream, Some(due));
        if !have_hung_up(sides, due) {
            self.abort(CloseReason::ToxicClosed);
        }
    }

    /// Of a lost upstream tells the other direction: behind what that said, which may still be on its way.
    fn lose_sink(&self, direction: Direction, due: Option<Instant>) -> Rest {
        let (source, sink) = self.ends(direction);
        if direction == Direction::Upstream && self.closed.get().is_none() {
            return self.wait_source_closed(&source, due);
        }
        self.lose(&source, sink.lost);
        Rest::Over
    }

    /// Sends the FIN on, and stays.
    fn pass_fin_on(&self, direction: Direction, due: Option<Instant>) -> Rest {
        let (source, sink) = self.ends(direction);
        let _ = self.first_fin.set(source.closed);
        sink.progress.finished.store(true, Ordering::SeqCst);
        match sink.stream.shutdown(Shutdown::Write) {
            Ok(()) => self.wait_source_closed(&source, due),
            Err(_) => self.lose_sink(direction, due),
        }
    }

    /// Stays until the source is closed in both directions, or until `due`: one that has finished its sending, or whose
    /// bytes nobody takes any more, may still be reset, and nobody else reads from it.
    fn wait_source_closed(&self, source: &Side<'_>, due: Option<Instant>) -> Rest {
        let mut fds = [PollFd::new(source.stream, PollFlags::empty())];
        wait(&mut fds, due);
        let told = fds[0].revents();
        if told.is_empty() {
            return Rest::Due;
        }
        if source.is_reset(told) {
            self.lose(source, source.lost);
        }
        Rest::Over
    }

    fn ends(&self, direction: Direction) -> (Side<'_>, Side<'_>) {
        let client = Side {
            stream: self.client.stream(),
            progress: &self.down,
            closed: CloseReason::ClientClosed,
            lost: CloseReason::ClientReset,
        };
        let upstream = Side {
            stream: &self.upstream,
            progress: &self.up,
            closed: CloseReason::UpstreamClosed,
            lost: CloseReason::UpstreamReset,
        };
        match direction {
            Direction::Upstream => (client, upstream),
            Direction::Downstream => (upstream, client),
        }
    }
}

/// Waits until `sides` are closed in both directions; returns whether they were before `due`, or soon after they had
/// everything up to our FINs.
fn have_hung_up(sides: [&TcpStream; 2], mut due: Instant) -> bool {
    if sides.iter().any(|side| unacknowledged(side) > 0) {
        if sides.map(|side| await_acknowledgement(side, None)).contains(&false) {
            return false;
        }
        due = Instant::now() + LINGER;
    }
    sides.iter().all(|side| {
        let mut fds = [PollFd::new(*side, PollFlags::empty())];
        wait(&mut fds, Some(due));
        !fds[0].revents().is_empty()
    })
}
