//! The messages of every connection of a run, for those who want to know at which points a fault could strike.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::Subject;
use crate::toxic::{Conversation, Message, Messages};
use crate::value::RouteName;

/// The connections of a run, in the order in which they were accepted.
#[derive(Debug, Default)]
pub struct Recording(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    route: RouteName,
    number: u64,
    messages: Arc<Messages>,
}

/// A connection and its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConnection {
    /// The route that has accepted it.
    pub route: RouteName,
    /// Its number on the route.
    pub number: u64,
    /// Its messages, in the order in which they began.
    pub messages: Vec<Message>,
}

impl Recording {
    /// The conversation of a new connection.
    pub(super) fn conversation(&self, subject: &Subject) -> Conversation {
        let messages = Arc::<Messages>::default();
        let route = subject.route.name.clone();
        let entry = Entry { route, number: subject.number, messages: Arc::clone(&messages) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Conversation::recorded(messages)
    }

    /// All connections so far.
    #[must_use]
    pub fn connections(&self) -> Vec<RecordedConnection> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = |Entry { route, number, messages }: &Entry| RecordedConnection {
            route: route.clone(),
            number: *number,
            messages: messages.list(),
        };
        entries.iter().map(recorded).collect()
    }
}
