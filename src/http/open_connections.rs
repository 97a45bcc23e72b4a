//! The open connections of one server, to limit their number and to close them. A connection is waiting from the accept
//! or the last response until a whole request has arrived; otherwise it is busy. Only waiting connections are closed,
//! so an accepted request is always answered.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, select};

use super::head::After;

/// Counts and closes connections.
pub(super) struct OpenConnections {
    capacity: NonZeroUsize,
    replaceable_after: Duration,
    entries: Mutex<Entries>,
    /// Holds a message if a connection ended or began to wait since the last receive.
    changes: (Sender<()>, Receiver<()>),
}

#[derive(Default)]
struct Entries {
    opened: u64,
    open: HashMap<u64, Entry>,
    stopped: bool,
}

struct Entry {
    stream: Arc<TcpStream>,
    /// `None` while it is busy.
    waiting_since: Option<Instant>,
}

/// A counted connection, until it is dropped.
pub(super) struct OpenConnection {
    id: u64,
    stream: Arc<TcpStream>,
    all: Arc<OpenConnections>,
}

impl OpenConnections {
    pub(super) fn new(capacity: NonZeroUsize, replaceable_after: Duration) -> Self {
        Self { capacity, replaceable_after, entries: Mutex::default(), changes: crossbeam_channel::bounded(1) }
    }

    /// Adds a connection, which waits for its first request.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> OpenConnection {
        let stream = Arc::new(stream);
        let mut entries = self.entries();
        entries.opened += 1;
        let id = entries.opened;
        let entry = Entry { stream: Arc::clone(&stream), waiting_since: Some(Instant::now()) };
        entries.open.insert(id, entry);
        OpenConnection { id, stream, all: Arc::clone(self) }
    }

    /// Waits until one more connection is allowed: one has ended, or the longest waiting one is closed, so that idle
    /// and slow clients don't block others. Ends early if `stopped` disconnects.
    pub(super) fn make_room(&self, stopped: &Receiver<Infallible>) {
        while let Some(left) = self.time_until_room() {
            select! {
                recv(self.changes.1) -> _ => {}
                recv(after(left)) -> _ => {}
                recv(stopped) -> _ => return,
            }
        }
    }

    /// Returns `None` if one more connection is allowed now. Otherwise returns the time until a connection can be
    /// replaced.
    fn time_until_room(&self) -> Option<Duration> {
        let mut entries = self.entries();
        if entries.open.len() < self.capacity.get() {
            return None;
        }
        let Some((since, id)) = entries.longest_waiting() else { return Some(Duration::MAX) };
        let left = self.replaceable_after.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        let replaced = entries.open.remove(&id)?;
        drop(entries);
        replaced.close();
        None
    }

    /// Closes all waiting connections. Busy ones close after their response.
    pub(super) fn stop(&self) {
        let mut entries = self.entries();
        entries.stopped = true;
        let waiting: Vec<_> = entries.open.extract_if(|_, entry| entry.waiting_since.is_some()).collect();
        drop(entries);
        for (_, entry) in waiting {
            entry.close();
        }
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
    fn longest_waiting(&self) -> Option<(Instant, u64)> {
        self.open.iter().filter_map(|(id, entry)| Some((entry.waiting_since?, *id))).min()
    }
}

impl Entry {
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

    /// Marks the connection as waiting after a response. Returns `Close` if the server has stopped.
    pub(super) fn wait(&self) -> After {
        let mut entries = self.all.entries();
        if let Some(entry) = entries.open.get_mut(&self.id) {
            entry.waiting_since = Some(Instant::now());
        }
        let after = if entries.stopped { After::Close } else { After::KeepAlive };
        drop(entries);
        self.all.report_change();
        after
    }

    /// Marks the connection as busy, after a whole request has arrived.
    ///
    /// # Errors
    /// The connection was closed while it waited.
    pub(super) fn take_request(&self) -> io::Result<()> {
        let mut entries = self.all.entries();
        let entry = entries.open.get_mut(&self.id).ok_or(io::ErrorKind::ConnectionAborted)?;
        entry.waiting_since = None;
        Ok(())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.all.entries().open.remove(&self.id);
        self.all.report_change();
    }
}
