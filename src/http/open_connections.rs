//! The connections of one server, so that their number is limited and that they can be closed. A connection either waits
//! for a request, from the accept or the last answer until one has arrived in full, or it is busy. Only one that waits is
//! closed, and never after its request was taken.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::iter;
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, select};

use super::head::After;

/// Counts and closes connections.
pub(super) struct OpenConnections {
    capacity: NonZeroUsize,
    entries: Mutex<Entries>,
    /// Holds a message if a connection ended or began to wait since the last look.
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

/// A connection that counts until this is dropped.
pub(super) struct OpenConnection {
    id: u64,
    stream: Arc<TcpStream>,
    all: Arc<OpenConnections>,
}

impl OpenConnections {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity, entries: Mutex::default(), changes: crossbeam_channel::bounded(1) }
    }

    /// A new connection, which waits for its first request.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> OpenConnection {
        let stream = Arc::new(stream);
        let mut entries = self.entries();
        entries.opened += 1;
        let id = entries.opened;
        let entry = Entry { stream: Arc::clone(&stream), waiting_since: Some(Instant::now()) };
        entries.open.insert(id, entry);
        OpenConnection { id, stream, all: Arc::clone(self) }
    }

    /// Returns when there is room for one more connection: closes the one that has waited longest, so that idle and slow
    /// clients keep no other out. If all are busy, waits for one that is not; ends early when `stopped` disconnects.
    pub(super) fn make_room(&self, stopped: &Receiver<Infallible>) {
        while !self.has_room() {
            select! {
                recv(self.changes.1) -> _ => {}
                recv(stopped) -> _ => return,
            }
        }
    }

    fn has_room(&self) -> bool {
        let mut entries = self.entries();
        if entries.open.len() < self.capacity.get() {
            return true;
        }
        let longest = entries.remove_longest_waiting();
        drop(entries);
        longest.map(Entry::close).is_some()
    }

    /// Closes the connections that wait. Those that are busy close after their answer.
    pub(super) fn stop(&self) {
        let mut entries = self.entries();
        entries.stopped = true;
        let waiting: Vec<Entry> = iter::from_fn(|| entries.remove_longest_waiting()).collect();
        drop(entries);
        waiting.into_iter().for_each(Entry::close);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report_change(&self) {
        // A message that is still there serves as well.
        let _ = self.changes.0.try_send(());
    }
}

impl Entries {
    fn remove_longest_waiting(&mut self) -> Option<Entry> {
        let waiting = self.open.iter().filter_map(|(id, entry)| Some((entry.waiting_since?, *id)));
        let (_, longest) = waiting.min()?;
        self.open.remove(&longest)
    }
}

impl Entry {
    /// Its thread ends at once, as it can neither read nor write.
    fn close(self) {
        // The client may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl OpenConnection {
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The last request is answered. There is a next one unless the server has stopped.
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

    /// A request has arrived in full.
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
