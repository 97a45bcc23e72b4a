//! Pauses of a source, found by polling it. What a pause does to the stream is `toxic`.

use std::time::{Duration, Instant};

/// A source that has nothing to read for this long makes a pause: what comes then is another segment. It is longer than
/// the gaps between the writes of a program that sends as fast as it can on a machine that is not overloaded.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a source has had nothing to read. A poll that finds nothing decides, and not the time of the next read: what
/// comes while this thread waits for a processor follows no pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It was not polled since the last read.
    Unknown,
    /// It is polled since then.
    Since(Instant),
    /// It has made a pause.
    Pause,
}

impl Silence {
    /// Before a poll.
    pub fn begin(self, now: Instant) -> Self {
        if self == Self::Unknown { Self::Since(now) } else { self }
    }

    /// After a poll that found nothing to read.
    pub fn go_on(self, now: Instant) -> Self {
        if self.next_look().is_some_and(|look| now >= look) { Self::Pause } else { self }
    }

    /// When to poll at the latest.
    pub fn next_look(self) -> Option<Instant> {
        if let Self::Since(begin) = self { Some(begin + PAUSE) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_takes_its_time_and_lasts_until_the_next_read() {
        let begin = Instant::now();
        let silence = Silence::Unknown.begin(begin).begin(begin + PAUSE);
        assert_eq!(silence.go_on(begin + PAUSE / 2), silence);
        let pause = silence.go_on(begin + PAUSE);
        assert_eq!((pause, pause.begin(begin), pause.next_look()), (Silence::Pause, Silence::Pause, None));
    }
}
