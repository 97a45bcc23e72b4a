//! The bytes of one direction that are on their way: read from the source, let go by the chain, and not due yet. Which
//! are due is asked with a moment; no clock is in here.

use std::collections::VecDeque;

use crate::toxic::{Edge, Moment, TAKEN_AT_ONCE};

/// What a line holds at most, with what it takes to know when each byte is due. A delay of 100 ms fills it at 320 MB/s.
const MOST_BYTES: usize = 32 << 20;

/// What is written at once: enough to make the calls cheap beside the copying.
const MOST_AT_ONCE: usize = 256 * 1024;

/// A queue of bytes, in the order in which they leave.
#[derive(Debug, Default)]
pub struct DelayLine {
    bytes: VecDeque<u8>,
    parcels: VecDeque<Parcel>,
}

/// Bytes that leave together.
#[derive(Debug)]
struct Parcel {
    due: Moment,
    length: usize,
    edge: Edge,
}

impl DelayLine {
    /// Whether another chunk fits in.
    pub fn has_room(&self) -> bool {
        self.bytes.len() + self.parcels.len() * size_of::<Parcel>() + TAKEN_AT_ONCE <= MOST_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts bytes behind those that are there; they are due no earlier.
    pub fn push(&mut self, bytes: &[u8], due: Moment, edge: Edge) {
        self.bytes.extend(bytes);
        match self.parcels.back_mut() {
            Some(last) if last.due == due && last.edge == Edge::Joined => {
                last.length += bytes.len();
                last.edge = edge;
            }
            _ => self.parcels.push_back(Parcel { due, length: bytes.len(), edge }),
        }
    }

    /// When the next bytes are due.
    pub fn next_due(&self) -> Option<Moment> {
        self.parcels.front().map(|parcel| parcel.due)
    }

    /// What is to be written as one, now.
    pub fn due(&mut self, now: Moment) -> &[u8] {
        let mut length = 0;
        for parcel in self.parcels.iter().take_while(|parcel| parcel.due <= now) {
            length += parcel.length;
            if parcel.edge == Edge::Cut || length >= MOST_AT_ONCE {
                break;
            }
        }
        let length = length.min(MOST_AT_ONCE);
        if self.bytes.as_slices().0.len() < length {
            // Once each time that the ring has gone round, so that a byte is moved once on average.
            self.bytes.make_contiguous();
        }
        &self.bytes.as_slices().0[..length]
    }

    /// Forgets the first `written` bytes. An empty line gives its memory back.
    pub fn advance(&mut self, written: usize) {
        self.bytes.drain(..written);
        let mut left = written;
        while let Some(parcel) = self.parcels.front_mut().filter(|_| left > 0) {
            let gone = left.min(parcel.length);
            left -= gone;
            parcel.length -= gone;
            if parcel.length == 0 {
                self.parcels.pop_front();
            }
        }
        if self.is_empty() && self.bytes.capacity() > TAKEN_AT_ONCE {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    #[test]
    fn bytes_leave_when_they_are_due_and_cuts_are_kept() {
        let mut line = DelayLine::default();
        line.push(b"ab", at(10), Edge::Joined);
        line.push(b"c", at(10), Edge::Cut);
        line.push(b"d", at(10), Edge::Joined);
        line.push(b"ef", at(20), Edge::Joined);
        assert_eq!((line.next_due(), line.due(at(9))), (Some(at(10)), &b""[..]));
        assert_eq!(line.due(at(20)), b"abc");
        line.advance(1);
        assert_eq!(line.due(at(20)), b"bc");
        line.advance(2);
        assert_eq!(line.due(at(10)), b"d");
        assert_eq!(line.due(at(20)), b"def");
        line.advance(3);
        assert!(line.is_empty());
        assert_eq!(line.next_due(), None);
    }

    #[test]
    fn a_line_is_full_before_it_holds_more_than_it_may() {
        let chunk = vec![0; TAKEN_AT_ONCE];
        let mut line = DelayLine::default();
        while line.has_room() {
            line.push(&chunk, at(1), Edge::Joined);
        }
        assert!((MOST_BYTES - TAKEN_AT_ONCE..=MOST_BYTES).contains(&line.bytes.len()), "{}", line.bytes.len());
        let mut crumbs = DelayLine::default();
        while crumbs.has_room() {
            crumbs.push(b"x", at(1), Edge::Cut);
        }
        assert!(crumbs.bytes.len() < MOST_BYTES / size_of::<Parcel>());
    }

    #[test]
    fn what_wraps_round_is_one_piece() {
        let mut line = DelayLine::default();
        for round in 0..200_u8 {
            let piece = [round; 7000];
            line.push(&piece, at(1), Edge::Cut);
            assert_eq!(line.due(at(1)), piece);
            line.advance(6000);
            assert_eq!(line.due(at(1)), &piece[..1000]);
            line.advance(1000);
        }
    }
}
