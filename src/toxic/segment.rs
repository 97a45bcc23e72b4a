//! The segments of a stream: what a network loses or delays as one. Ours are counted from the stream's beginning, so that
//! the same bytes are in the same segments however they are written.

use std::ops::Range;

use super::Span;

/// What fits into an Ethernet frame of 1,500 bytes beside the headers of IPv4 and TCP, with TCP's timestamps:
/// 1500 - 20 - 20 - 12.
pub(super) const BYTES: u64 = 1448;

/// Something drawn for each segment, in their order.
pub(super) struct Segments<D> {
    /// Of which segment `drawn` is.
    index: u64,
    drawn: D,
}

impl<D> Segments<D> {
    /// Begins with the first segment's.
    pub(super) fn new(first: D) -> Self {
        Self { index: 0, drawn: first }
    }

    /// What is drawn for the segment of byte `offset`. Segments that are skipped are drawn for as well.
    pub(super) fn of(&mut self, offset: u64, mut draw: impl FnMut(&D) -> D) -> &mut D {
        while self.index < offset / BYTES {
            self.drawn = draw(&self.drawn);
            self.index += 1;
        }
        &mut self.drawn
    }
}

/// Takes what is in one segment off the front of `span`, which begins at byte `offset` of the stream.
pub(super) fn take(span: &mut Span, offset: u64) -> Span {
    span.take(usize::try_from(end(offset) - offset).unwrap_or(usize::MAX))
}

/// Where the segment of byte `offset` ends.
pub(super) fn end(offset: u64) -> u64 {
    (offset / BYTES + 1) * BYTES
}

/// A stretch of the stream, segment by segment.
pub(super) fn parts(stretch: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let part = move |start| (start < stretch.end).then(|| start..end(start).min(stretch.end));
    std::iter::successors(part(stretch.start), move |last| part(last.end))
}
