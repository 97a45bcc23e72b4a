//! `slicer`: sends the stream in small pieces, each in its own write, with a pause between them.

use std::ops::RangeInclusive;

use fastrand::Rng;

use super::behaviour::{Behaviour, Misfit, Place};
use super::declaration::declare;
use super::out::Out;
use super::span::Edge;
use super::stats::Amount;
use super::{Moment, Span, Stage};
use crate::value::{Bytes, Micros, Size};

declare! {
    /// Cuts the stream into small writes, with a pause after each.
    pub struct Slicer("slicer", Keeps, Offset) {
        /// The size of a piece.
        average_size: Size, such as Size::literal(64);
        /// How far sizes lie from the average, less than that.
        size_variation: Bytes = Bytes::literal(0);
        /// The pause from one piece to the next.
        delay: Micros = Micros::literal(0);
    }
}

impl Slicer {
    /// The range of piece sizes in bytes, all equally likely. None is 0.
    fn sizes(&self) -> RangeInclusive<u64> {
        let (average, variation) = (u64::from(self.average_size.get()), u64::from(self.size_variation.get()));
        average - variation..=average + variation
    }
}

impl Behaviour for Slicer {
    /// The variation must be smaller than the size, or some pieces would be empty.
    fn misfits(&self) -> Vec<Misfit> {
        let (size, variation) = (self.average_size.get(), self.size_variation.get());
        if variation < size {
            return Vec::new();
        }
        let what = format!("a variation of {variation} bytes leaves nothing of a size of {size}");
        vec![Misfit::new("size_variation", what, format!("use 0 to {}", size - 1))]
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(SlicerStage::new(*self, place.rng.in_order(), place.offset))
    }
}

/// The most pieces in one read. The cost of a read is small compared with that of a thousand writes.
const PIECES_AT_ONCE: u64 = 1000;

pub(super) struct SlicerStage {
    slicer: Slicer,
    rng: Rng,
    /// The end of the current piece, and its size.
    cut: u64,
    size: u64,
    /// The earliest time for the next piece.
    begins: Moment,
}

impl SlicerStage {
    pub(super) fn new(slicer: Slicer, mut rng: Rng, offset: u64) -> Self {
        let size = rng.u64(slicer.sizes());
        Self { slicer, rng, cut: offset + size, size, begins: Moment::ZERO }
    }
}

impl Stage for SlicerStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let offset = span.range.start;
            while self.cut <= offset {
                self.size = self.rng.u64(self.slicer.sizes());
                self.cut += self.size;
            }
            let mut part = span.take(self.cut - offset);
            part.at = part.at.max(self.begins);
            if part.range.end == self.cut {
                part.edge = Edge::Cut;
                self.begins = part.at.saturating_add(self.slicer.delay.duration());
                out.stats().record(self.cut - self.size, Amount::Bytes(self.size));
            }
            out.pass(part);
        }
    }

    /// Pauses cause a queue. Bytes that would wait in it for long should stay with the sender. Also, small pieces need
    /// more memory for their spans.
    fn pace(&self) -> Option<u64> {
        Some(PIECES_AT_ONCE.saturating_mul(*self.slicer.sizes().end()))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::toxic::trial::{chain_of, ms, send, slicer, stream};

    /// The sizes of the first pieces of a stream with seed 42.
    fn pieces(size: u32, variation: u32, length: usize) -> Vec<usize> {
        let cuts = send(&mut chain_of([slicer(size, variation, 0)]), &stream(length), [(length, ms(0))]).cuts;
        let begins = [0].into_iter().chain(cuts.iter().copied());
        begins.zip(&cuts).map(|(begin, end)| end - begin).collect()
    }

    /// A seed must give the same draws in every release.
    #[test]
    fn a_seed_always_gives_the_same_sizes() {
        assert_eq!(pieces(100, 50, 1000), [78, 148, 115, 98, 104, 71, 122, 127]);
        assert_eq!(pieces(100, 0, 350), [100; 3]);
    }

    /// There are 21 equally likely sizes. Their counts in about 21,000 pieces follow a chi-squared distribution with 20
    /// degrees of freedom: its mean is 20, and it exceeds 75 with a probability of 3e-8 (its survival function, any
    /// table or library). The seed never changes.
    #[test]
    fn sizes_are_uniform_over_their_range() {
        let pieces = pieces(20, 10, 420_000);
        let expected = pieces.len() as f64 / 21.0;
        let of_size = |size| pieces.iter().filter(|&&piece| piece == size).count() as f64;
        let chi_squared: f64 = (10..=30).map(|size| (of_size(size) - expected).powi(2) / expected).sum();
        assert!(chi_squared < 75.0, "{chi_squared}");
        assert!(pieces.iter().all(|piece| (10..=30).contains(piece)));
    }

    /// A piece is due a pause after the one before, or on arrival if that is later. All bytes of a piece are due at
    /// once.
    #[test]
    fn pauses_between_pieces() {
        let mut chain = chain_of([slicer(2, 0, 3000)]);
        let outcome = send(&mut chain, &stream(9), [(5, ms(10)), (3, ms(10)), (1, ms(100))]);
        assert_eq!(outcome.due, [10, 10, 13, 13, 16, 16, 19, 19, 100].map(ms));
        assert_eq!(outcome.cuts, [2, 4, 6, 8]);
        assert_eq!(outcome.events[1], ("slicer_0".to_owned(), 2, 2, Amount::Bytes(2)));
    }
}
