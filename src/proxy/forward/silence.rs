//! Detects pauses of a source by polling it. What a pause does to the stream is `toxic`.

use std::time::{Duration, Instant};

/// A source without bytes for this long has paused, which ends the segment. It is longer than the gaps between the
/// writes of a program that sends at full speed on a machine with free CPU time.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a source has had no bytes to read. Only a poll that finds none counts, not the time between reads: bytes
/// that arrive while this thread waits for a CPU do not follow a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The source was not polled since the last read.
    Unknown,
    /// The time of the first poll since the last read.
    Since(Instant),
    /// The source has paused.
    Pause,
}

impl Silence {
    /// Call before a poll.
    pub fn begin(self, now: Instant) -> Self {
        if self == Self::Unknown { Self::Since(now) } else { self }
    }

    /// Call after a poll that found nothing to read.
    pub fn update(self, now: Instant) -> Self {
        if self.next_poll().is_some_and(|due| now >= due) { Self::Pause } else { self }
    }

    /// The latest time for the next poll.
    pub fn next_poll(self) -> Option<Instant> {
        if let Self::Since(begin) = self { Some(begin + PAUSE) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_becomes_a_pause_after_10_ms() {
        let begin = Instant::now();
        let silence = Silence::Unknown.begin(begin).begin(begin + PAUSE);
        assert_eq!(silence.update(begin + PAUSE / 2), silence);
        let pause = silence.update(begin + PAUSE);
        assert_eq!((pause, pause.begin(begin), pause.next_poll()), (Silence::Pause, Silence::Pause, None));
    }
}
