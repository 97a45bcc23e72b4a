//! The messages of a connection, recorded as triggers count them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::value::Direction;

/// The most bytes of a message that are kept.
const PREVIEW: usize = 64;

/// What one side has sent until the other side has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The direction of its bytes.
    pub stream: Direction,
    /// Its number in this stream, from 1.
    pub number: u64,
    /// The offset of its first byte in this stream.
    pub offset: u64,
    /// The number of its bytes.
    pub length: u64,
    /// The first of them, at most 64.
    pub preview: Vec<u8>,
}

/// The messages of both directions so far, in the order in which they began.
#[derive(Debug, Default)]
pub struct Messages(Mutex<Vec<Message>>);

impl Messages {
    /// The messages so far.
    #[must_use]
    pub fn list(&self) -> Vec<Message> {
        self.lock().clone()
    }

    /// Adds bytes of a message, from `offset` on.
    pub(super) fn add(&self, stream: Direction, number: u64, offset: u64, bytes: &[u8]) {
        let mut messages = self.lock();
        let present = messages.iter().rposition(|message| message.stream == stream && message.number == number);
        let place = present.unwrap_or(messages.len());
        if present.is_none() {
            messages.push(Message { stream, number, offset, length: 0, preview: Vec::new() });
        }
        let message = &mut messages[place];
        message.length += bytes.len() as u64;
        let left = PREVIEW - message.preview.len();
        message.preview.extend(&bytes[..bytes.len().min(left)]);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
