//! What the two directions of a connection share: the points that triggers have reached, and the messages if they are
//! recorded.

use std::sync::{Arc, OnceLock};

use super::messages::Messages;
use super::points::Reached;

/// The conversation of one connection. Nothing is allocated for one without triggers that is not recorded.
#[derive(Debug, Default)]
pub struct Conversation {
    reached: OnceLock<Arc<Reached>>,
    messages: Option<Arc<Messages>>,
}

impl Conversation {
    /// A conversation whose messages are recorded.
    #[must_use]
    pub fn recorded(messages: Arc<Messages>) -> Self {
        Self { messages: Some(messages), ..Self::default() }
    }

    pub(super) fn reached(&self) -> &Arc<Reached> {
        self.reached.get_or_init(Arc::default)
    }

    pub(super) fn messages(&self) -> Option<&Arc<Messages>> {
        self.messages.as_ref()
    }
}
