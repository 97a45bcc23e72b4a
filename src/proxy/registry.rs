//! Who is connected, so that they can be counted and cut from outside. How many may be is `connection_limit`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::CloseReason;
use crate::proxy::state::Client;

/// Every client that has been accepted and not yet closed.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    clients: HashMap<u64, Arc<Client>>,
    /// How many have left because they were cut.
    cut: usize,
    /// Whoever comes from now on is cut too.
    closed: bool,
}

/// A client that is on the roster until this is dropped.
#[derive(Debug)]
pub struct Registration {
    id: u64,
    client: Arc<Client>,
    registry: Arc<Registry>,
}

impl Registry {
    pub fn register(self: &Arc<Self>, client: Client) -> Registration {
        let client = Arc::new(client);
        let mut entries = self.entries();
        let id = entries.next;
        entries.next += 1;
        entries.clients.insert(id, Arc::clone(&client));
        if entries.closed {
            client.abort(CloseReason::Cut);
        }
        drop(entries);
        Registration { id, client, registry: Arc::clone(self) }
    }

    pub fn len(&self) -> usize {
        self.entries().clients.len()
    }

    /// Resets everyone who is here, and who comes later.
    pub fn cut(&self) {
        for client in self.close() {
            client.abort(CloseReason::Cut);
        }
    }

    /// How many were cut: those that have left for it, and those that still have to.
    pub fn cut_count(&self) -> usize {
        let entries = self.entries();
        entries.cut + entries.clients.values().filter(|client| client.aborted() == Some(CloseReason::Cut)).count()
    }

    fn close(&self) -> Vec<Arc<Client>> {
        let mut entries = self.entries();
        entries.closed = true;
        entries.clients.values().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut entries = self.registry.entries();
        entries.clients.remove(&self.id);
        entries.cut += usize::from(self.client.aborted() == Some(CloseReason::Cut));
    }
}
