//! The bytes of one direction that are on their way: read from the source, let go by the chain, and not due yet. Which
//! are due is asked with a moment; no clock is in here.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::toxic::{Edge, Moment, TAKEN_AT_ONCE};

/// What a line holds at most, with what it takes to know when each byte is due.
const MOST_BYTES: usize = 32 << 20;

/// What is written at once: enough to make the calls cheap beside the copying.
const MOST_AT_ONCE: usize = 256 * 1024;

/// Blocks are given back one by one, as they become empty.
const BLOCK: usize = 64 * 1024;

/// What one more chunk may take: it ends in the block after the one that it begins in, and both may have a parcel for each
/// byte. A bulk stream, whose parcels are large, has room for 27 MiB beside that: 280 MB/s with a delay of 100 ms.
const MOST_OF_A_CHUNK: usize = TAKEN_AT_ONCE + 2 * BLOCK * size_of::<Parcel>();

/// A queue of bytes, in the order in which they leave.
#[derive(Debug, Default)]
pub struct DelayLine {
    blocks: VecDeque<Block>,
    /// The memory of all blocks.
    held: usize,
}

/// Bytes that are in memory together, and when they leave.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// How many of them have left.
    left: usize,
    /// What those that have not are made of.
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
        self.held + MOST_OF_A_CHUNK <= MOST_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Puts bytes behind those that are there; they are due no earlier.
    pub fn push(&mut self, mut bytes: &[u8], due: Moment, edge: Edge) {
        while !bytes.is_empty() {
            let block = self.last_block();
            let (front, rest) = bytes.split_at(bytes.len().min(block.room()));
            let grown = block.push(front, due, if rest.is_empty() { edge } else { Edge::Joined });
            self.held += grown;
            bytes = rest;
        }
    }

    /// One that has room.
    fn last_block(&mut self) -> &mut Block {
        if self.blocks.back().is_none_or(|block| block.room() == 0) {
            let block = Block::new();
            self.held += block.held();
            self.blocks.push_back(block);
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }

    /// When the next bytes are due.
    pub fn next_due(&self) -> Option<Moment> {
        self.parcels().next().map(|parcel| parcel.due)
    }

    /// What is to be written as one, now.
    pub fn due(&self, now: Moment) -> Vec<IoSlice<'_>> {
        let mut length = 0;
        for parcel in self.parcels().take_while(|parcel| parcel.due <= now) {
            length += parcel.length;
            if parcel.edge == Edge::Cut || length >= MOST_AT_ONCE {
                break;
            }
        }
        self.front(length)
    }

    /// Forgets the first `written` bytes.
    pub fn advance(&mut self, mut written: usize) {
        while let Some(block) = self.blocks.front_mut() {
            written -= block.advance(written);
            if !block.is_empty() {
                return;
            }
            self.held -= block.held();
            self.blocks.pop_front();
        }
    }

    fn parcels(&self) -> impl Iterator<Item = &Parcel> {
        self.blocks.iter().flat_map(|block| &block.parcels)
    }

    fn front(&self, mut length: usize) -> Vec<IoSlice<'_>> {
        let mut pieces = Vec::new();
        for block in &self.blocks {
            if length == 0 {
                break;
            }
            let bytes = &block.bytes[block.left..];
            let piece = &bytes[..bytes.len().min(length)];
            length -= piece.len();
            pieces.push(IoSlice::new(piece));
        }
        pieces
    }
}

impl Block {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(BLOCK), left: 0, parcels: VecDeque::new() }
    }

    fn room(&self) -> usize {
        BLOCK - self.bytes.len()
    }

    fn is_empty(&self) -> bool {
        self.left == self.bytes.len()
    }

    /// Its memory.
    fn held(&self) -> usize {
        self.bytes.capacity() + self.parcels.capacity() * size_of::<Parcel>()
    }

    /// Takes no more than there is room for; returns by how much its memory has grown.
    fn push(&mut self, bytes: &[u8], due: Moment, edge: Edge) -> usize {
        let before = self.held();
        self.bytes.extend_from_slice(bytes);
        match self.parcels.back_mut() {
            Some(last) if last.due == due && last.edge == Edge::Joined => {
                last.length += bytes.len();
                last.edge = edge;
            }
            _ => self.parcels.push_back(Parcel { due, length: bytes.len(), edge }),
        }
        self.held() - before
    }

    /// Forgets at most so many bytes; returns how many it had.
    fn advance(&mut self, most: usize) -> usize {
        let gone = most.min(self.bytes.len() - self.left);
        self.left += gone;
        let mut left = gone;
        while let Some(parcel) = self.parcels.front_mut().filter(|_| left > 0) {
            let part = left.min(parcel.length);
            left -= part;
            parcel.length -= part;
            if parcel.length == 0 {
                self.parcels.pop_front();
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    fn due(line: &DelayLine, millis: u64) -> Vec<u8> {
        line.due(at(millis)).iter().flat_map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn bytes_leave_when_they_are_due_and_cuts_are_kept() {
        let mut line = DelayLine::default();
        line.push(b"ab", at(10), Edge::Joined);
        line.push(b"c", at(10), Edge::Cut);
        line.push(b"d", at(10), Edge::Joined);
        line.push(b"ef", at(20), Edge::Joined);
        assert_eq!((line.next_due(), due(&line, 9)), (Some(at(10)), vec![]));
        assert_eq!(due(&line, 20), b"abc");
        line.advance(1);
        assert_eq!(due(&line, 20), b"bc");
        line.advance(2);
        assert_eq!(due(&line, 10), b"d");
        assert_eq!(due(&line, 20), b"def");
        line.advance(3);
        assert!(line.is_empty());
        assert_eq!((line.next_due(), line.held), (None, 0));
    }

    /// A piece is written as one wherever it lies in memory.
    #[test]
    fn a_piece_may_lie_in_two_blocks() {
        let mut line = DelayLine::default();
        for round in 0..200_u8 {
            let piece = [round; 7000];
            line.push(&piece, at(1), Edge::Cut);
            assert_eq!(due(&line, 1), piece);
            line.advance(6000);
            line.push(b"next", at(1), Edge::Cut);
            assert_eq!(due(&line, 1), &piece[..1000]);
            line.advance(1000);
            line.advance(4);
        }
    }

    /// By the memory that it takes, for parcels of any size, and with little left unused where they are large.
    #[test]
    fn a_full_line_holds_no_more_than_it_may() {
        for size in [1, 2, 3, 100, 1448, TAKEN_AT_ONCE] {
            let mut line = DelayLine::default();
            while line.has_room() {
                for piece in vec![0; TAKEN_AT_ONCE].chunks(size) {
                    line.push(piece, at(1), Edge::Cut);
                }
            }
            let held: usize = line.blocks.iter().map(Block::held).sum();
            assert!((27 << 20..=MOST_BYTES).contains(&held), "{held} by {size}");
            assert_eq!(line.held, held);
            while !line.is_empty() {
                line.advance(9999);
            }
            assert_eq!(line.held, 0);
        }
    }
}
