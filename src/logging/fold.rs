//! Folds repeated faults: the first one is written at once, and those that follow it within a second become one line
//! with their number.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::message::{Kind, Message};

/// How long repeats are held back.
const WINDOW: Duration = Duration::from_secs(1);

/// The most faults whose repeats are held back at a time: about 100 KiB.
const MOST_WINDOWS: usize = 256;

/// The fields that are the same in all repeats.
const SAME: [&str; 5] = ["route", "conn", "fault", "toxic", "stream"];

/// A message to write, and the number of messages that it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) message: Message,
    pub(super) times: u64,
}

/// The faults of the last second, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Fold {
    windows: VecDeque<Window>,
}

/// A fault that was written, and its repeats since then.
#[derive(Debug)]
struct Window {
    written: Message,
    due: Instant,
    repeats: Option<Folded>,
}

impl Fold {
    /// Takes a message and returns what is to be written now. A connection ends after all of its faults.
    pub(super) fn take(&mut self, message: Message, now: Instant) -> Vec<Folded> {
        if message.kind != Kind::Fault {
            return self.ended_by(&message).into_iter().chain([Folded { message, times: 1 }]).collect();
        }
        if let Some(window) = self.windows.iter_mut().find(|window| window.is_of(&message)) {
            window.add(message);
            return Vec::new();
        }
        let oldest = if self.windows.len() == MOST_WINDOWS { self.windows.pop_front() } else { None };
        self.windows.push_back(Window { written: message.clone(), due: now + WINDOW, repeats: None });
        oldest.and_then(|window| window.repeats).into_iter().chain([Folded { message, times: 1 }]).collect()
    }

    /// The repeats that were held back for long enough.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Folded> {
        let mut due = Vec::new();
        while self.next_due().is_some_and(|next| next <= now) {
            if let Some(folded) = self.windows.pop_front().and_then(|window| window.repeats) {
                // Its line is the one to which further repeats belong.
                self.windows.push_back(Window { written: folded.message.clone(), due: now + WINDOW, repeats: None });
                due.push(folded);
            }
        }
        in_order(due)
    }

    /// When [`due`](Self::due) has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.windows.front().map(|window| window.due)
    }

    /// All repeats that are held back.
    pub(super) fn rest(&mut self) -> Vec<Folded> {
        in_order(self.windows.drain(..).filter_map(|window| window.repeats).collect())
    }

    /// The repeats of a connection, if the message is that it has closed.
    fn ended_by(&mut self, message: &Message) -> Vec<Folded> {
        let is_same = |window: &Window| message.field("why").is_some() && window.has_same(message, &SAME[..2]);
        let (same, others) = self.windows.drain(..).partition(is_same);
        self.windows = others;
        let same: VecDeque<Window> = same;
        in_order(same.into_iter().filter_map(|window| window.repeats).collect())
    }
}

fn in_order(mut folded: Vec<Folded>) -> Vec<Folded> {
    folded.sort_by_key(|folded| folded.message.time);
    folded
}

impl Window {
    fn is_of(&self, message: &Message) -> bool {
        self.has_same(message, &SAME)
    }

    fn has_same(&self, message: &Message, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.written.field(key) == message.field(key))
    }

    fn add(&mut self, message: Message) {
        let times = self.repeats.as_ref().map_or(0, |folded| folded.times) + 1;
        self.repeats = Some(Folded { message, times });
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn message(kind: Kind, conn: u64, text: &str) -> Message {
        let fields = [("route", "db".to_owned()), ("conn", conn.to_string()), ("fault", "latency".to_owned())];
        let mut fields = fields.map(|(key, value)| (key.to_owned(), value)).to_vec();
        if text == "closed" {
            fields.push(("why".to_owned(), "cut".to_owned()));
        }
        Message { time: Timestamp::UNIX_EPOCH, kind, text: text.to_owned(), fields }
    }

    fn fault(conn: u64, text: &str) -> Message {
        message(Kind::Fault, conn, text)
    }

    fn texts(folded: Vec<Folded>) -> Vec<(String, u64)> {
        folded.into_iter().map(|folded| (folded.message.text, folded.times)).collect()
    }

    fn pair(text: &str, times: u64) -> (String, u64) {
        (text.to_owned(), times)
    }

    #[test]
    fn repeats_within_a_second_become_one_line() {
        let (mut fold, start) = (Fold::default(), Instant::now());
        assert_eq!(texts(fold.take(fault(1, "a"), start)), [pair("a", 1)]);
        assert_eq!(texts(fold.take(fault(2, "other"), start)), [pair("other", 1)]);
        for text in ["b", "c"] {
            assert_eq!(fold.take(fault(1, text), start + WINDOW / 2), []);
        }
        assert_eq!(fold.next_due(), Some(start + WINDOW));
        assert_eq!(fold.due(start + WINDOW / 2), []);
        assert_eq!(texts(fold.due(start + WINDOW)), [pair("c", 2)]);
        assert_eq!(fold.take(fault(1, "d"), start + WINDOW), [], "a second begins with each line");
        assert_eq!(texts(fold.take(fault(2, "again"), start + WINDOW)), [pair("again", 1)]);
        assert_eq!(texts(fold.rest()), [pair("d", 1)]);
        assert_eq!(fold.next_due(), None);
    }

    #[test]
    fn a_connection_ends_after_its_faults() {
        let (mut fold, start) = (Fold::default(), Instant::now());
        for conn in [1, 2, 1, 2] {
            fold.take(fault(conn, "fault"), start);
        }
        assert_eq!(texts(fold.take(message(Kind::Debug, 1, "other"), start)), [pair("other", 1)]);
        let closed = fold.take(message(Kind::Info, 1, "closed"), start);
        assert_eq!(texts(closed), [pair("fault", 1), pair("closed", 1)]);
        assert_eq!(texts(fold.rest()).len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut fold, start) = (Fold::default(), Instant::now());
        for _ in 0..2 {
            fold.take(fault(0, "oldest"), start);
        }
        let written: Vec<_> = (1..=MOST_WINDOWS as u64).flat_map(|conn| fold.take(fault(conn, "new"), start)).collect();
        assert_eq!(written.len(), MOST_WINDOWS + 1);
        assert_eq!(fold.windows.len(), MOST_WINDOWS);
        assert!(written.iter().any(|folded| folded.message.text == "oldest"));
    }
}
