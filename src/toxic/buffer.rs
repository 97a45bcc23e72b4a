//! The bytes that a chain holds, addressed by their offset in the stream.

use std::collections::VecDeque;
use std::ops::Range;

/// The unit in which memory is freed, once all bytes of a block are sent.
const BLOCK: usize = 64 * 1024;

/// A contiguous part of a stream.
#[derive(Debug)]
pub(super) struct Buffer {
    /// All blocks except the last one are full.
    blocks: VecDeque<Vec<u8>>,
    /// The offset of the first byte.
    begin: u64,
    /// The offset after the last byte.
    end: u64,
    /// The capacity of all blocks in bytes.
    memory: usize,
}

impl Buffer {
    /// Creates an empty buffer that begins at `offset`.
    pub(super) fn at(offset: u64) -> Self {
        Self { blocks: VecDeque::new(), begin: offset, end: offset, memory: 0 }
    }

    /// The offset after the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The memory of the buffer in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.blocks.back().is_none_or(|block| block.len() == BLOCK) {
                self.blocks.push_back(Vec::new());
            }
            let last = self.blocks.len() - 1;
            let block = &mut self.blocks[last];
            let (front, rest) = bytes.split_at(bytes.len().min(BLOCK - block.len()));
            self.memory -= block.capacity();
            // Doubles the capacity like `Vec`, but only up to a block: a connection that holds few bytes uses little
            // memory.
            if block.capacity() < block.len() + front.len() {
                block.reserve_exact((block.len() + front.len()).next_power_of_two().min(BLOCK) - block.len());
            }
            block.extend_from_slice(front);
            self.memory += block.capacity();
            self.end += front.len() as u64;
            bytes = rest;
        }
    }

    /// Returns the bytes of `range`, one slice per block.
    pub(super) fn slices(&self, range: &Range<u64>) -> impl Iterator<Item = &[u8]> {
        let (from, to) = (self.index(range.start), self.index(range.end));
        (from / BLOCK..to.div_ceil(BLOCK)).map(move |block| {
            let start = block * BLOCK;
            &self.blocks[block][from.saturating_sub(start)..(to - start).min(BLOCK)]
        })
    }

    /// Flips the bits of `mask` in one byte.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) {
        let index = self.index(offset);
        self.blocks[index / BLOCK][index % BLOCK] ^= mask;
    }

    /// Frees the bytes before `offset`.
    pub(super) fn release(&mut self, offset: u64) {
        if offset == self.end {
            *self = Self::at(offset);
        }
        while self.index(offset) >= BLOCK {
            self.memory -= self.blocks.pop_front().map_or(0, |block| block.capacity());
            self.begin += BLOCK as u64;
        }
    }

    /// Converts an offset to an index. It fits a `usize`, since all held bytes fit into memory.
    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset - self.begin).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(buffer: &Buffer, range: Range<u64>) -> Vec<u8> {
        buffer.slices(&range).flatten().copied().collect()
    }

    #[test]
    fn bytes_are_found_by_their_offset_until_they_are_released() {
        let stream: Vec<u8> = (0..=250).cycle().take(200_000).collect();
        let mut buffer = Buffer::at(7);
        stream.chunks(9999).for_each(|chunk| buffer.push(chunk));
        assert_eq!(buffer.end(), 200_007);
        assert_eq!(bytes(&buffer, 7..200_007), stream);
        for start in [7, 65_000, 65_542, 65_543, 65_544, 131_079, 200_006] {
            buffer.release(start);
            let expected = &stream[usize::try_from(start).expect("small") - 7..];
            assert_eq!(bytes(&buffer, start..200_007), expected, "{start}");
        }
        assert!((1..=BLOCK).contains(&buffer.memory()));
        buffer.release(200_007);
        assert_eq!((buffer.memory(), bytes(&buffer, 200_007..200_007)), (0, vec![]));
    }

    #[test]
    fn one_byte_is_flipped() {
        let mut buffer = Buffer::at(100);
        buffer.push(&vec![0; 70_000]);
        buffer.flip(100 + 65_536, 0b100);
        assert_eq!(bytes(&buffer, 65_635..65_638), [0, 0b100, 0]);
    }
}
