//! The items in a chain: spans of a stream and its end, each with the time at which it is due at the next link.

use std::ops::Range;

use super::Moment;
use super::segment::Segments;
use crate::value::CloseMode;

/// A contiguous part of the stream with one due time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Offsets in the stream as sent.
    pub(super) range: Range<u64>,
    pub(super) segments: Segments,
    /// When it arrived at the chain; the first byte of it, if parts were joined.
    pub(super) arrived: Moment,
    /// When it is due at the next link.
    pub(super) at: Moment,
    /// Whether the next span may join the same write.
    pub(super) edge: Edge,
}

/// Whether a span and the next one may share a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// They may share a write.
    Joined,
    /// They must not share a write.
    Cut,
}

/// The end of a stream, with its due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When it is due at the next link.
    pub at: Moment,
    /// How the stream ends.
    pub kind: EndKind,
    /// The number of bytes before it.
    pub(super) offset: u64,
    /// The segment that it is in.
    pub(super) segment: u64,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// The sender has sent a FIN.
    Fin,
    /// The sender has reset the connection.
    Reset,
    /// A toxic ends the connection.
    Toxic(CloseMode),
}

impl Span {
    /// The number of bytes.
    pub(super) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether `next` can be merged into this span.
    pub(super) fn joins(&self, next: &Self) -> bool {
        let is_adjacent = self.edge == Edge::Joined && self.range.end == next.range.start && self.at == next.at;
        is_adjacent && self.segments == next.segments
    }

    /// Splits at most `length` bytes off the front. The rest keeps the edge.
    pub(super) fn take(&mut self, length: u64) -> Self {
        if length >= self.length() {
            let all = self.clone();
            self.range.start = self.range.end;
            return all;
        }
        let middle = self.range.start + length;
        let front = Self { range: self.range.start..middle, edge: Edge::Joined, ..*self };
        self.range.start = middle;
        front
    }

    /// Splits the bytes of one segment off the front. Also returns the start of that segment.
    pub(super) fn take_segment(&mut self) -> (u64, Self) {
        let offset = self.range.start;
        (self.segments.start(offset), self.take(self.segments.end(offset) - offset))
    }
}
