//! What goes through a chain: stretches of a stream and its end, each with the moment at which it is at its place.

use std::ops::Range;

use super::Moment;
use super::segment::Segments;
use crate::value::CloseMode;

/// A stretch of the stream, all of which is at one place of the chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// By offsets in the stream as its sender sent it.
    pub(super) range: Range<u64>,
    pub(super) segments: Segments,
    /// When it is there.
    pub(super) at: Moment,
    /// What follows it.
    pub(super) edge: Edge,
}

/// Whether a span and the next one may be written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// They may.
    Joined,
    /// They may not.
    Cut,
}

/// The end of a stream, at one place of the chain at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When it is there.
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
    /// Its sender has sent a FIN.
    Fin,
    /// Its sender has reset the connection.
    Reset,
    /// A toxic ends the connection.
    Toxic(CloseMode),
}

impl Span {
    /// The number of bytes.
    pub(super) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether `next` follows it so that both are one.
    pub(super) fn joins(&self, next: &Self) -> bool {
        let goes_on = self.edge == Edge::Joined && self.range.end == next.range.start && self.at == next.at;
        goes_on && self.segments == next.segments
    }

    /// Takes at most `length` bytes off its front. The edge stays where it is, at the end.
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

    /// Takes what is in one segment off its front. Returns where that segment begins, too.
    pub(super) fn take_segment(&mut self) -> (u64, Self) {
        let offset = self.range.start;
        (self.segments.start(offset), self.take(self.segments.end(offset) - offset))
    }
}
