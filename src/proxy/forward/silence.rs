//! Pauses of a source, found by polling it. What a pause does to the stream is `toxic`.

use std::time::{Duration, Instant};

/// A source that has nothing to read for this long makes a pause: what comes then is another segment. It is longer than
/// the gaps between the writes of a program that sends as fast as it can on a machine that is not overloaded.
const PAUSE: Duration = Duration::from_millis(10);

/// How long the source has had nothing to read. A poll finds that out, and not the clock: what comes while this thread
/// waits for a processor follows no pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It was not polled since the last read.
    Unknown,
    /// It is polled from then on.
    Since(Instant),
    /// It has made a pause.
    Pause,
}

impl Silence {
    /// Before a poll, which includes the source if it can be read.
    pub fn polled(self, can_read: bool) -> Self {
        match self {
            Self::Unknown if can_read => Self::Since(Instant::now()),
            Self::Since(_) if !can_read => Self::Unknown,
            other => other,
        }
    }

    /// After a poll that found nothing to read.
    pub fn went_on(self) -> Self {
        match self {
            Self::Since(begin) if begin.elapsed() >= PAUSE => Self::Pause,
            other => other,
        }
    }

    /// When to poll, even if nothing comes.
    pub fn next_look(self) -> Option<Instant> {
        if let Self::Since(begin) = self { Some(begin + PAUSE) } else { None }
    }
}
