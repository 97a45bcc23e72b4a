//! The open connections of one server, to limit their number and to close them.
//!
//! A connection waits from the accept or the last response until a whole request has arrived. At the limit, those that
//! wait for too long are closed for new clients, and so are those whose client takes too long to read a response. A
//! request is always answered if its client reads. Streams are never closed for others: their number has its own limit,
//! so that they leave connections for requests.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, select};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};

use super::limits::Limits;
use super::refusal::Refusal;
use super::status::Status;

/// The idle time before the first keepalive probe. Nine follow, 75 s apart (tcp(7)).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Counts and closes connections.
pub(super) struct OpenConnections {
    limits: Limits,
    entries: Mutex<Entries>,
    /// Holds a message if a connection ended or began to wait since the last receive.
    changes: (Sender<()>, Receiver<()>),
}

#[derive(Default)]
struct Entries {
    opened: u64,
    open: HashMap<u64, Entry>,
}

struct Entry {
    stream: Arc<TcpStream>,
    phase: Phase,
    /// The begin of the phase.
    since: Instant,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for a whole request.
    Waiting,
    /// The handler makes the response.
    Handling,
    /// The client reads a response.
    Responding,
    /// The client reads a stream.
    Streaming,
}

/// A counted connection, until it is dropped.
pub(super) struct OpenConnection {
    id: u64,
    stream: Arc<TcpStream>,
    all: Arc<OpenConnections>,
}

impl OpenConnections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default(), changes: crossbeam_channel::bounded(1) }
    }

    /// Adds a connection, which waits for its first request.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> OpenConnection {
        let stream = Arc::new(stream);
        let mut entries = self.entries();
        entries.opened += 1;
        let id = entries.opened;
        let entry = Entry { stream: Arc::clone(&stream), phase: Phase::Waiting, since: Instant::now() };
        entries.open.insert(id, entry);
        OpenConnection { id, stream, all: Arc::clone(self) }
    }

    /// Waits until one more connection is allowed: one has ended, or an idle or slow one is closed, so that it does not
    /// block others.
    pub(super) fn make_room(&self) {
        while let Some(left) = self.time_until_room() {
            select! {
                recv(self.changes.1) -> _ => {}
                recv(after(left)) -> _ => {}
            }
        }
    }

    /// Returns `None` if one more connection is allowed now. Otherwise returns the time until a connection can be
    /// replaced.
    fn time_until_room(&self) -> Option<Duration> {
        let mut entries = self.entries();
        if entries.open.len() < self.limits.connections.get() {
            return None;
        }
        let Some((left, _, id)) = entries.first_replaceable(&self.limits) else { return Some(Duration::MAX) };
        if !left.is_zero() {
            return Some(left);
        }
        let replaced = entries.open.remove(&id)?;
        drop(entries);
        replaced.close();
        None
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report_change(&self) {
        // If a message is still pending, it is enough.
        let _ = self.changes.0.try_send(());
    }
}

impl Entries {
    /// The connection to close for a new one: the time until then, since when it waits, and its number.
    fn first_replaceable(&self, limits: &Limits) -> Option<(Duration, Instant, u64)> {
        self.open.iter().filter_map(|(id, entry)| Some((entry.replaceable_in(limits)?, entry.since, *id))).min()
    }

    fn begin(&mut self, id: u64, phase: Phase) -> Option<()> {
        let entry = self.open.get_mut(&id)?;
        (entry.phase, entry.since) = (phase, Instant::now());
        Some(())
    }

    fn streams(&self) -> usize {
        self.open.values().filter(|entry| entry.phase == Phase::Streaming).count()
    }
}

impl Entry {
    fn replaceable_in(&self, limits: &Limits) -> Option<Duration> {
        let after = match self.phase {
            Phase::Waiting => limits.replaceable_after,
            Phase::Responding => limits.stall,
            Phase::Handling | Phase::Streaming => return None,
        };
        Some(after.saturating_sub(self.since.elapsed()))
    }

    /// Closes the connection. Its thread ends at once, because it can neither read nor write.
    fn close(self) {
        // The client may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl OpenConnection {
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Marks the connection as waiting after a response.
    pub(super) fn wait(&self) {
        self.all.entries().begin(self.id, Phase::Waiting);
        self.all.report_change();
    }

    /// Marks the connection as in use, after a whole request has arrived.
    ///
    /// # Errors
    /// The connection was closed while it waited.
    pub(super) fn take_request(&self) -> io::Result<()> {
        let begun = self.all.entries().begin(self.id, Phase::Handling);
        begun.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    /// Marks the connection as one whose client reads a response.
    pub(super) fn begin_response(&self) {
        self.all.entries().begin(self.id, Phase::Responding);
        self.all.report_change();
    }

    /// Marks the connection as one whose client reads a stream. Fails at the limit.
    pub(super) fn begin_stream(&self) -> Result<(), Refusal> {
        let (mut entries, most) = (self.all.entries(), self.all.limits.streams);
        if entries.streams() >= most {
            let why = format!("the number of open streams is limited to {most}: close one");
            return Err(Refusal { status: Status::ServiceUnavailable, why });
        }
        entries.begin(self.id, Phase::Streaming);
        drop(entries);
        self.detect_lost_client();
        Ok(())
    }

    /// Whether a stream still has its client. A FIN counts as leaving, because a client
    /// that closes its socket sends nothing else. poll(2) reports it even if there are unread requests before it.
    pub(super) fn is_read(&self) -> bool {
        let mut client = [PollFd::new(&*self.stream, PollFlags::RDHUP)];
        !matches!(poll(&mut client, Some(&Timespec::default())), Ok(1..))
    }

    /// A machine that is gone sends no FIN. While there is nothing to send, only keepalive probes detect that.
    fn detect_lost_client(&self) {
        // If the system refuses, the next bytes of the stream detect it.
        let _ = set_socket_keepalive(&self.stream, true);
        let _ = set_tcp_keepidle(&self.stream, KEEPALIVE_IDLE);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.all.entries().open.remove(&self.id);
        self.all.report_change();
    }
}
