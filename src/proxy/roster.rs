//! Who is connected, so that they can be counted and cut from outside. How many may be is `places`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::Client;
use crate::event::End;

/// Every client that has been accepted and not yet closed.
#[derive(Debug, Default)]
pub struct Roster {
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
pub struct Enrolled {
    id: u64,
    client: Arc<Client>,
    roster: Arc<Roster>,
}

impl Roster {
    pub fn enrol(self: &Arc<Self>, client: Client) -> Enrolled {
        let client = Arc::new(client);
        let mut entries = self.entries();
        let id = entries.next;
        entries.next += 1;
        entries.clients.insert(id, Arc::clone(&client));
        if entries.closed {
            client.abort(End::Cut);
        }
        drop(entries);
        Enrolled { id, client, roster: Arc::clone(self) }
    }

    pub fn len(&self) -> usize {
        self.entries().clients.len()
    }

    /// Resets everyone who is here, and who comes later.
    pub fn cut(&self) {
        for client in self.close() {
            client.abort(End::Cut);
        }
    }

    /// How many were cut: those that have left for it, and those that still have to.
    pub fn cut_count(&self) -> usize {
        let entries = self.entries();
        entries.cut + entries.clients.values().filter(|client| client.aborted() == Some(End::Cut)).count()
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

impl Enrolled {
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        let mut entries = self.roster.entries();
        entries.clients.remove(&self.id);
        entries.cut += usize::from(self.client.aborted() == Some(End::Cut));
    }
}
