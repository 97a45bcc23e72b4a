//! `slicer`: the stream goes out in small pieces, each a write of its own, with a pause between them.

use std::ops::RangeInclusive;

use fastrand::Rng;

use super::behaviour::{Behaviour, Misfit, Place};
use super::declaration::declare;
use super::link::Out;
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
    /// The sizes of pieces in bytes, each as likely as the others; none is 0.
    fn sizes(&self) -> RangeInclusive<u64> {
        let (average, variation) = (u64::from(self.average_size.get()), u64::from(self.size_variation.get()));
        average - variation..=average + variation
    }
}

impl Behaviour for Slicer {
    /// A variation that is not smaller than the size would make some pieces empty.
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

/// Each piece is a write: the cost of one read is small beside a thousand of them.
const PIECES_AT_ONCE: u64 = 1000;

pub(super) struct SlicerStage {
    slicer: Slicer,
    rng: Rng,
    /// The current piece: its end, and its size.
    cut: u64,
    size: u64,
    /// When it may begin.
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

    /// Pauses make a queue, and bytes that would wait in it for long should stay with the sender. Also, the smaller the
    /// pieces, the more memory their spans take.
    fn pace(&self) -> Option<u64> {
        Some(PIECES_AT_ONCE.saturating_mul(*self.slicer.sizes().end()))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::toxic::trial::{chain_of, ms, send, slicer, stream};

    /// The sizes of the pieces that a stream is cut into, the first ones of seed 42.
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

    /// 21 sizes, each with a chance of 1/21. Their counts in n = 21,000 pieces or so give a chi-squared of 20 degrees of
    /// freedom: its mean is 20, its standard deviation sqrt(40); it is above 75 with a probability of 3e-8 (its survival
    /// function, any table or library). The seed never changes.
    #[test]
    fn sizes_are_uniform_over_their_range() {
        let pieces = pieces(20, 10, 420_000);
        let expected = pieces.len() as f64 / 21.0;
        let of_size = |size| pieces.iter().filter(|&&piece| piece == size).count() as f64;
        let chi_squared: f64 = (10..=30).map(|size| (of_size(size) - expected).powi(2) / expected).sum();
        assert!(chi_squared < 75.0, "{chi_squared}");
        assert!(pieces.iter().all(|piece| (10..=30).contains(piece)));
    }

    /// The next piece leaves a pause after the last one, or when it comes if that is later. All of a piece leaves at once.
    #[test]
    fn pauses_between_pieces() {
        let mut chain = chain_of([slicer(2, 0, 3000)]);
        let outcome = send(&mut chain, &stream(9), [(5, ms(10)), (3, ms(10)), (1, ms(100))]);
        assert_eq!(outcome.leaves, [10, 10, 13, 13, 16, 16, 19, 19, 100].map(ms));
        assert_eq!(outcome.cuts, [2, 4, 6, 8]);
        assert_eq!(outcome.acts[1], ("slicer_0".to_owned(), 2, 2, Amount::Bytes(2)));
    }
}
