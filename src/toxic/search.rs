//! Searches a stream for the mark of a trigger, chunk by chunk. The result is a point: the offset of the first byte
//! that the toxic acts on. It does not depend on the chunks.

use memchr::memmem::Finder;

use crate::value::{Mark, MessagePart, MessagePoint, Nth, Pattern, Then, Trigger};

/// A part of a stream as it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived<'a> {
    /// The offset of its first byte.
    pub(super) start: u64,
    pub(super) bytes: &'a [u8],
    /// The number of the message that it belongs to.
    pub(super) message: u64,
    /// The offset of the first byte of that message.
    pub(super) message_start: u64,
}

impl Arrived<'_> {
    /// The offset after its last byte.
    fn end(self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// The state of a search.
#[derive(Debug)]
pub(super) enum Search {
    Pattern(Box<PatternSearch>),
    Message(MessageSearch),
    /// No further point is possible.
    Finished,
}

impl Search {
    pub(super) fn new(trigger: &Trigger) -> Self {
        match &trigger.mark {
            Mark::Pattern(pattern, nth) => Self::Pattern(Box::new(PatternSearch::new(pattern, *nth, trigger.then))),
            Mark::Message(point) => Self::Message(MessageSearch { point: *point, then: trigger.then, last: None }),
        }
    }

    /// Continues with the next part of the stream. Returns the points in it.
    pub(super) fn arrive(&mut self, arrived: Arrived<'_>) -> Vec<u64> {
        let (points, is_finished) = match self {
            Self::Pattern(search) => search.arrive(arrived),
            Self::Message(search) => search.arrive(arrived),
            Self::Finished => return Vec::new(),
        };
        if is_finished {
            *self = Self::Finished;
        }
        points
    }

    /// The sender has paused or ended the stream, so its last byte is the last one of a message. Returns the point, if
    /// that is one.
    pub(super) fn pause(&mut self) -> Option<u64> {
        let Self::Message(search) = self else { return None };
        let point = search.last_of_message()?;
        *self = Self::Finished;
        Some(point)
    }

    /// The offset of the first byte that may be after the next point, although it is not known yet. It must wait.
    pub(super) fn undecided(&self) -> Option<u64> {
        match self {
            Self::Pattern(search) => search.undecided(),
            Self::Message(search) => search.last,
            Self::Finished => None,
        }
    }
}

/// The search for a pattern.
#[derive(Debug)]
pub(super) struct PatternSearch {
    finder: Finder<'static>,
    then: Then,
    nth: Nth,
    /// The number of matches so far. They don't overlap.
    matches: u64,
    /// The last bytes of the stream, in which a match may have begun.
    tail: Vec<u8>,
    /// The offset after them.
    end: u64,
}

impl PatternSearch {
    fn new(pattern: &Pattern, nth: Nth, then: Then) -> Self {
        let finder = Finder::new(pattern.bytes()).into_owned();
        Self { finder, then, nth, matches: 0, tail: Vec::new(), end: 0 }
    }

    fn arrive(&mut self, arrived: Arrived<'_>) -> (Vec<u64>, bool) {
        let length = self.finder.needle().len();
        let first = arrived.start - self.tail.len() as u64;
        let mut searched = std::mem::take(&mut self.tail);
        searched.extend_from_slice(arrived.bytes);
        let (mut points, mut begin) = (Vec::new(), 0);
        while let Some(found) = self.finder.find(&searched[begin..]) {
            let start = begin + found;
            begin = start + length;
            self.matches += 1;
            if self.counts(self.matches) {
                let offset = if self.then == Then::Before { start } else { begin };
                points.push(first + offset as u64);
            }
            if self.nth != Nth::Each && !points.is_empty() {
                return (points, true);
            }
        }
        let tail = begin.max(searched.len().saturating_sub(length - 1));
        self.tail = searched.split_off(tail);
        self.end = arrived.end();
        (points, false)
    }

    fn counts(&self, number: u64) -> bool {
        match self.nth {
            Nth::Only(wanted) => wanted.get() == number,
            Nth::Each => true,
        }
    }

    /// The longest beginning of a match at the end of the stream, if that match counts and its bytes are held back.
    fn undecided(&self) -> Option<u64> {
        if self.then == Then::After || !self.counts(self.matches + 1) {
            return None;
        }
        let begins = |start: &usize| self.finder.needle().starts_with(&self.tail[*start..]);
        let start = (0..self.tail.len()).find(begins)?;
        Some(self.end - (self.tail.len() - start) as u64)
    }
}

/// The search for a byte of a message.
#[derive(Debug)]
pub(super) struct MessageSearch {
    point: MessagePoint,
    then: Then,
    /// The last byte so far of the message, if its last byte is wanted.
    last: Option<u64>,
}

impl MessageSearch {
    fn arrive(&mut self, arrived: Arrived<'_>) -> (Vec<u64>, bool) {
        let wanted = self.point.message.get();
        if arrived.message != wanted {
            return (self.last_of_message().into_iter().collect(), arrived.message > wanted);
        }
        match self.point.part {
            MessagePart::Last => {
                self.last = Some(arrived.end() - 1);
                (Vec::new(), false)
            }
            MessagePart::Byte(byte) => {
                let offset = arrived.message_start.saturating_add(byte.get() - 1);
                let is_reached = offset < arrived.end();
                (is_reached.then(|| self.beside(offset)).into_iter().collect(), is_reached)
            }
        }
    }

    fn last_of_message(&self) -> Option<u64> {
        self.last.map(|offset| self.beside(offset))
    }

    /// The point before or after a byte.
    fn beside(&self, offset: u64) -> u64 {
        match self.then {
            Then::Before => offset,
            Then::After => offset + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(mark: Mark, then: Then) -> Trigger {
        Trigger { stream: crate::value::Direction::Upstream, mark, then }
    }

    fn pattern(text: &str, nth: Nth, then: Then) -> Search {
        Search::new(&trigger(Mark::Pattern(Pattern::of_text(text).expect("a pattern"), nth), then))
    }

    fn message(point: &str, then: Then) -> Search {
        Search::new(&trigger(Mark::Message(point.parse().expect("a point")), then))
    }

    fn only(number: u64) -> Nth {
        Nth::Only(number.try_into().expect("not 0"))
    }

    /// Sends each text as one message, in chunks of this length. Returns all points.
    fn points(mut search: Search, messages: &[&str], chunk: usize) -> Vec<u64> {
        let (mut points, mut start) = (Vec::new(), 0);
        for (text, message) in messages.iter().zip(1..) {
            let message_start = start;
            for bytes in text.as_bytes().chunks(chunk) {
                points.extend(search.arrive(Arrived { start, bytes, message, message_start }));
                start += bytes.len() as u64;
            }
        }
        points.extend(search.pause());
        points
    }

    #[test]
    fn a_pattern_is_found_across_chunks_and_matches_do_not_overlap() {
        for chunk in 1..12 {
            let found = |text, nth, then| points(pattern(text, nth, then), &["abcabc", "abaaaa"], chunk);
            assert_eq!(found("abc", Nth::default(), Then::Before), [0], "{chunk}");
            assert_eq!(found("abc", only(2), Then::Before), [3]);
            assert_eq!(found("abc", only(2), Then::After), [6]);
            assert_eq!(found("abc", only(3), Then::After), [0; 0]);
            assert_eq!(found("aa", Nth::Each, Then::After), [10, 12]);
            assert_eq!(found("caba", Nth::Each, Then::Before), [5]);
            assert_eq!(found("b", Nth::Each, Then::Before), [1, 4, 7]);
        }
    }

    #[test]
    fn the_beginning_of_a_match_that_counts_must_wait() {
        let undecided = |nth, then, text: &str| {
            let mut search = pattern("abab", nth, then);
            search.arrive(Arrived { start: 0, bytes: text.as_bytes(), message: 1, message_start: 0 });
            search.undecided()
        };
        for (text, held_from) in [("xx", None), ("xa", Some(1)), ("xaba", Some(1)), ("xabb", None), ("abaab", Some(3))]
        {
            assert_eq!(undecided(Nth::default(), Then::Before, text), held_from, "{text}");
            assert_eq!(undecided(Nth::default(), Then::After, text), None);
            assert_eq!(undecided(only(2), Then::Before, text), None);
        }
        assert_eq!(undecided(only(2), Then::Before, "ababa"), Some(4));
    }

    #[test]
    fn a_byte_of_a_message_is_counted_from_its_first_one() {
        for chunk in 1..12 {
            let found = |point, then| points(message(point, then), &["ab", "cdefg", "h"], chunk);
            assert_eq!(found("2", Then::Before), [2]);
            assert_eq!(found("2:3", Then::Before), [4]);
            assert_eq!(found("2:3", Then::After), [5]);
            assert_eq!(found("2:5", Then::After), [7]);
            assert_eq!(found("2:6", Then::Before), [0; 0]);
            assert_eq!(found("2:last", Then::Before), [6]);
            assert_eq!(found("2:last", Then::After), [7]);
            assert_eq!(found("3:last", Then::After), [8]);
            assert_eq!(found("4", Then::Before), [0; 0]);
        }
    }
}
