//! The live connections, by an id of the run. From here they are counted, drained and cut. How many there may be is
//! `admission`.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::ConnectionState;
use crate::event::CloseReason;

/// Every connection that has been accepted and not yet closed.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    connections: HashMap<u64, Arc<ConnectionState>>,
    /// How many have ended because they were cut.
    cut: usize,
    /// Connections that come from now on are cut too.
    closed: bool,
}

/// A connection that is registered until this is dropped.
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

    /// Resets every connection that is here, or comes later.
    pub fn cut(&self) {
        for state in self.close() {
            state.abort(CloseReason::Cut);
        }
    }

    /// How many were cut: those that have ended, and those that are about to.
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
