//! `slicer`: the stream goes out in small pieces, each a write of its own, with a pause between them.

use fastrand::Rng;

use super::link::Out;
use super::span::Edge;
use super::stats::Amount;
use super::{Moment, Span, Stage};
use crate::plan::Slicer;

/// A write each: what a read costs beside a thousand of them is nothing.
const PIECES_AT_ONCE: u64 = 1000;

pub(super) struct SlicerStage {
    slicer: Slicer,
    rng: Rng,
    /// The piece that is going out: where it ends, and its size.
    cut: u64,
    size: u64,
    /// When that piece may begin.
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

    /// Pauses make a queue, and what waits in it for long is better off with the sender. And the smaller the pieces, the
    /// more memory a chunk takes that is cut up.
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

    /// What a seed gives is a promise.
    #[test]
    fn a_seed_cuts_alike_for_ever() {
        assert_eq!(pieces(100, 50, 1000), [78, 148, 115, 98, 104, 71, 122, 127]);
        assert_eq!(pieces(100, 0, 350), [100; 3]);
    }

    /// 21 sizes, each with a chance of 1/21. Their counts in n = 21,000 pieces or so give a chi-squared of 20 degrees of
    /// freedom: its mean is 20, its standard deviation sqrt(40); above 75 it is with a chance of 3e-8 (its survival
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

    /// A pause from the end of a piece to the next one, if that is not later anyway. All of a piece leaves at once.
    #[test]
    fn pieces_pause_between_each_other() {
        let mut chain = chain_of([slicer(2, 0, 3000)]);
        let outcome = send(&mut chain, &stream(9), [(5, ms(10)), (3, ms(10)), (1, ms(100))]);
        assert_eq!(outcome.leaves, [10, 10, 13, 13, 16, 16, 19, 19, 100].map(ms));
        assert_eq!(outcome.cuts, [2, 4, 6, 8]);
        assert_eq!(outcome.acts[1], ("slicer_0".to_owned(), 2, 2, Amount::Bytes(2)));
    }
}
