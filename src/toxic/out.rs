//! What a stage does with a span: the spans that it passes on, which wait in the queue of its link, an end, and records
//! of its acts.

use std::collections::VecDeque;

use super::Moment;
use super::buffer::Buffer;
use super::span::{End, EndKind, Span};
use super::stats::ToxicStats;
use crate::value::CloseMode;

/// A span in the queue.
#[derive(Debug, PartialEq)]
pub(super) struct Held {
    pub(super) span: Span,
    /// When it arrived. A change of the toxic computes its due time anew from that.
    pub(super) arrived: Moment,
}

/// The output of a stage: spans, an end, and records of what it did.
pub(super) struct Out<'a> {
    /// When the span that the stage processes has arrived.
    pub(super) arrived: Moment,
    pub(super) queue: &'a mut VecDeque<Held>,
    pub(super) held: &'a mut u64,
    pub(super) last: &'a mut Moment,
    pub(super) end: &'a mut Option<End>,
    pub(super) buffer: &'a mut Buffer,
    pub(super) stats: &'a mut ToxicStats,
}

impl Out<'_> {
    /// Queues a span until it is due. It is due no earlier than the spans before it.
    pub(super) fn pass(&mut self, mut span: Span) {
        if span.range.is_empty() {
            return;
        }
        span.at = span.at.max(*self.last);
        *self.last = span.at;
        *self.held += span.length();
        let arrived = self.arrived;
        match self.queue.back_mut() {
            Some(Held { span: last, arrived: latest }) if last.joins(&span) => {
                (last.range.end, last.edge, *latest) = (span.range.end, span.edge, arrived);
            }
            _ => self.queue.push_back(Held { span, arrived }),
        }
    }

    /// Ends the stream after the queued spans.
    pub(super) fn end(&mut self, at: Moment, offset: u64, segment: u64, close_mode: CloseMode) {
        let kind = EndKind::Toxic(close_mode);
        *self.end = Some(End { at: at.max(*self.last), kind, offset, segment });
    }

    /// Flips the bits of `mask` in one byte of the stream.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) {
        self.buffer.flip(offset, mask);
    }

    /// The statistics of the toxic.
    pub(super) fn stats(&mut self) -> &mut ToxicStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::toxic::Recorded;
    use crate::toxic::segment::Segments;
    use crate::toxic::span::Edge;
    use crate::toxic::trial;
    use crate::value::Direction;

    /// An empty span is not queued, so it must not delay later ones.
    #[test]
    fn an_empty_span_delays_nothing() {
        let (mut queue, mut held, mut last, mut end) = (VecDeque::new(), 0, Moment::ZERO, None);
        let (mut buffer, toxic) = (Buffer::at(0), Arc::new(trial::toxic(0, trial::steady(5))));
        let mut stats = ToxicStats::of(toxic, Direction::Downstream, Recorded::default());
        let mut out = Out {
            arrived: Moment::ZERO,
            queue: &mut queue,
            held: &mut held,
            last: &mut last,
            end: &mut end,
            buffer: &mut buffer,
            stats: &mut stats,
        };
        let span = |range, millis| Span {
            range,
            segments: Segments::default(),
            arrived: Moment::ZERO,
            at: trial::ms(millis),
            edge: Edge::Joined,
        };
        out.pass(span(0..0, 900));
        out.pass(span(0..1, 100));
        assert_eq!(queue, [Held { span: span(0..1, 100), arrived: Moment::ZERO }]);
    }
}
