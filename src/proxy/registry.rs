//! The live connections, by an id that is unique in the run. Drain, cut and the connection count use it. The limit on
//! their number is `admission`.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::ConnectionState;
use crate::event::CloseReason;

/// Every connection that was accepted and is not closed yet.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    connections: HashMap<u64, Arc<ConnectionState>>,
    /// The number of connections that ended because they were cut.
    cut: usize,
    /// Set by a cut: connections registered after it are cut at once.
    closed: bool,
}

/// Keeps a connection registered until it is dropped.
#[derive(Debug)]
pub struct Registration {
    id: u64,
    state: Arc<ConnectionState>,
    registry: Arc<Registry>,
}

impl Registry {
    pub fn register(self: &Arc<Self>, state: ConnectionState) -> Registration {
        let state = Arc::new(state);
        let mut entries = self.entries();
        let id = entries.next;
        entries.next += 1;
        entries.connections.insert(id, Arc::clone(&state));
        let closed = entries.closed;
        drop(entries);
        if closed {
            state.abort(CloseReason::Cut);
        }
        Registration { id, state, registry: Arc::clone(self) }
    }

    pub fn len(&self) -> usize {
        self.entries().connections.len()
    }

    /// Resets all live connections, and all that are registered later.
    pub fn cut(&self) {
        for state in self.close() {
            state.abort(CloseReason::Cut);
        }
    }

    /// The number of connections that were cut, including those that are still closing.
    pub fn cut_count(&self) -> usize {
        let entries = self.entries();
        entries.cut + entries.connections.values().filter(|state| state.aborted() == Some(CloseReason::Cut)).count()
    }

    fn close(&self) -> Vec<Arc<ConnectionState>> {
        let mut entries = self.entries();
        entries.closed = true;
        entries.connections.values().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Registration {
    type Target = Arc<ConnectionState>;

    fn deref(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut entries = self.registry.entries();
        entries.connections.remove(&self.id);
        entries.cut += usize::from(self.state.aborted() == Some(CloseReason::Cut));
    }
}
