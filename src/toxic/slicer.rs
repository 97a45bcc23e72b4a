//! `slicer`: the stream goes out in small pieces, each a write of its own, with a pause between them.

use fastrand::Rng;

use super::chain::{Amount, Out};
use super::{Edge, Moment, Span, Stage};
use crate::plan::Slicer;

pub(super) struct Slicing {
    slicer: Slicer,
    rng: Rng,
    /// The piece that is going out: where it ends, and its size.
    cut: u64,
    size: u64,
    /// When that piece may begin.
    begins: Moment,
}

impl Slicing {
    pub(super) fn new(slicer: Slicer, mut rng: Rng) -> Self {
        let size = rng.u64(slicer.sizes());
        Self { slicer, rng, cut: size, size, begins: Moment::ZERO }
    }
}

impl Stage for Slicing {
    fn pass(&mut self, mut span: Span, mut offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        while !span.range.is_empty() {
            while self.cut <= offset {
                self.size = self.rng.u64(self.slicer.sizes());
                self.cut += self.size;
            }
            let mut part = span.take(usize::try_from(self.cut - offset).unwrap_or(usize::MAX));
            part.at = part.at.max(self.begins);
            offset += part.length() as u64;
            if offset == self.cut {
                part.edge = Edge::Cut;
                self.begins = part.at.saturating_add(self.slicer.delay.duration());
                out.tell(self.cut - self.size, Amount::Bytes(self.size));
            }
            out.pass(part);
        }
    }
}
