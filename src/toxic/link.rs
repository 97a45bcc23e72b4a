//! One toxic and its place in a chain: what has come to it, and what it holds until the next one may have it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::buffer::Buffer;
use super::route_toxic::RouteToxic;
use super::span::{End, EndKind, Span};
use super::stats::{RunningSum, ToxicStats};
use super::{ActiveTime, Moment, Stage};
use crate::value::{CloseMode, Direction};

/// The most spans that a link whose bytes queue takes before some have gone on. A toxic makes the same of what comes
/// whenever that is; and a stream that is cut into single bytes takes no more memory than this.
const MOST_QUEUED: usize = 1024;

pub(super) struct Link {
    toxic: Arc<RouteToxic>,
    /// None once the toxic is removed.
    stage: Option<Box<dyn Stage>>,
    active: ActiveTime,
    /// What is held, in order.
    queue: VecDeque<Span>,
    /// Comes after the queue.
    end: Option<End>,
    /// The number of bytes in the queue.
    held: u64,
    /// When the last of it goes on: nothing overtakes it.
    last: Moment,
    /// The stream has ended here: nothing follows.
    has_ended: bool,
    /// It was the toxic that has ended it.
    made_end: bool,
    /// Bytes, or the end of the stream, came after an end that the toxic has made.
    has_dropped: bool,
    stats: ToxicStats,
}

/// Where a stage puts what it lets go, and records what it did.
pub(super) struct Out<'a> {
    queue: &'a mut VecDeque<Span>,
    held: &'a mut u64,
    last: &'a mut Moment,
    end: &'a mut Option<End>,
    buffer: &'a mut Buffer,
    stats: &'a mut ToxicStats,
}

impl Out<'_> {
    /// Lets a span go when it says, and not before what went before it.
    pub(super) fn pass(&mut self, mut span: Span) {
        if span.range.is_empty() {
            return;
        }
        span.at = span.at.max(*self.last);
        *self.last = span.at;
        *self.held += span.length();
        match self.queue.back_mut() {
            Some(last) if last.joins(&span) => (last.range.end, last.edge) = (span.range.end, span.edge),
            _ => self.queue.push_back(span),
        }
    }

    /// Ends the stream after what went before.
    pub(super) fn end(&mut self, at: Moment, offset: u64, segment: u64, close_mode: CloseMode) {
        let kind = EndKind::Toxic(close_mode);
        *self.end = Some(End { at: at.max(*self.last), kind, offset, segment });
    }

    /// Flips the bits of `mask` in one byte of the stream.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) {
        self.buffer.flip(offset, mask);
    }

    /// Where it records what it did.
    pub(super) fn stats(&mut self) -> &mut ToxicStats {
        self.stats
    }
}

impl Link {
    pub(super) fn new(toxic: Arc<RouteToxic>, stage: Box<dyn Stage>, opened: Moment, direction: Direction) -> Self {
        Self {
            stage: Some(stage),
            active: toxic.active(opened),
            queue: VecDeque::new(),
            end: None,
            held: 0,
            last: Moment::ZERO,
            has_ended: false,
            made_end: false,
            has_dropped: false,
            stats: ToxicStats::of(Arc::clone(&toxic.toxic), direction),
            toxic,
        }
    }

    pub(super) fn is_of(&self, toxic: &Arc<RouteToxic>) -> bool {
        self.stage.is_some() && Arc::ptr_eq(&self.toxic, toxic)
    }

    /// Removes the toxic: what it holds goes on `now`, and what comes passes.
    pub(super) fn let_go(&mut self, now: Moment) {
        self.stage = None;
        self.last = Moment::ZERO;
        self.queue.iter_mut().for_each(|span| span.at = span.at.min(now));
        self.end.iter_mut().for_each(|end| end.at = end.at.min(now));
    }

    /// Forgets the end that has come to it, if `is_revoked`, or that it has made, if its toxic is removed. Returns whether the
    /// end that comes after it is to be forgotten as well, wherever it has got to.
    pub(super) fn revoke_end(&mut self, is_revoked: bool) -> bool {
        let revokes = if self.made_end { self.stage.is_none() } else { is_revoked };
        if revokes {
            (self.end, self.has_ended, self.made_end) = (None, false, false);
        }
        revokes
    }

    /// Whether it is removed and has nothing left.
    pub(super) fn is_spent(&self) -> bool {
        self.stage.is_none() && self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.end.is_none()
    }

    /// Takes what has come to it, unless the stream has ended here.
    pub(super) fn take(&mut self, span: Span, buffer: &mut Buffer) {
        if self.has_ended {
            self.has_dropped = true;
            return;
        }
        let Self { stage, active, queue, held, end, last, stats, .. } = self;
        let mut out = Out { queue, held, last, end, buffer, stats };
        match stage {
            Some(stage) if active.contains(span.at) => stage.pass(span, &mut out),
            _ => out.pass(span),
        }
        (self.has_ended, self.made_end) = (self.end.is_some(), self.end.is_some());
    }

    pub(super) fn take_end(&mut self, mut end: End) {
        if self.has_ended {
            self.has_dropped = true;
            return;
        }
        if self.active.contains(end.at)
            && let Some(stage) = &mut self.stage
        {
            end.at = stage.finish(end, &mut self.stats);
        }
        end.at = end.at.max(self.last);
        (self.end, self.has_ended) = (Some(end), true);
    }

    /// Forgets the bytes that it holds.
    pub(super) fn discard_held(&mut self) {
        self.queue = VecDeque::new();
        self.held = 0;
    }

    /// At most that many of the first bytes, if they are due.
    pub(super) fn pop(&mut self, now: Moment, most: u64) -> Option<Span> {
        let first = self.queue.front_mut().filter(|span| span.at <= now)?;
        let front = first.take(most);
        self.held -= front.length();
        if first.range.is_empty() {
            self.queue.pop_front();
        }
        Some(front)
    }

    /// The end, if it is due and everything before it has gone on.
    pub(super) fn pop_end(&mut self, now: Moment) -> Option<End> {
        self.end.take_if(|end| self.queue.is_empty() && end.at <= now)
    }

    /// When the next of what it holds goes on.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.queue.front().map(|span| span.at).or(self.end.map(|end| end.at))
    }

    /// The offset of the first byte that it holds.
    pub(super) fn first_offset(&self) -> Option<u64> {
        self.queue.front().map(|span| span.range.start)
    }

    /// The number of bytes that it holds.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The bytes of memory that its queue takes.
    pub(super) fn memory(&self) -> usize {
        self.queue.capacity() * size_of::<Span>()
    }

    /// The most bytes that it takes at once, if it takes any now.
    pub(super) fn room(&self) -> Option<u64> {
        match self.stage.as_ref().and_then(|stage| stage.pace()) {
            Some(_) if self.queue.len() >= MOST_QUEUED => None,
            Some(pace) => Some(pace),
            None => Some(u64::MAX),
        }
    }

    /// For a toxic that makes bytes queue: the number of bytes worth taking from the sender at a time.
    pub(super) fn pace(&self, now: Moment) -> Option<u64> {
        self.stage.as_ref().filter(|_| self.active.contains(now)).and_then(|stage| stage.pace())
    }

    /// For a toxic that makes bytes queue: when the last of them goes on.
    pub(super) fn queued_until(&self) -> Option<Moment> {
        self.stage.as_ref().and_then(|stage| stage.pace()).map(|_| self.last)
    }

    /// Until when its queue lasts, once these bytes have come to it that the sender has sent `now`.
    pub(super) fn admit(&mut self, bytes: u64, now: Moment) -> Moment {
        let acting = self.stage.as_mut().filter(|_| self.active.contains(now));
        acting.map_or(now, |stage| stage.admit(bytes, now))
    }

    /// For a toxic that ends the stream: the number of bytes that come through before that.
    pub(super) fn left(&self, now: Moment) -> Option<u64> {
        let left = self.stage.as_ref().filter(|_| self.active.contains(now))?.left()?;
        // The first byte meets a limit of 0; after the end none is needed.
        Some(if self.has_ended { 0 } else { left.max(1) })
    }

    pub(super) fn deadline(&self) -> Option<(Moment, CloseMode)> {
        self.stage.as_ref().and_then(|stage| stage.deadline())
    }

    pub(super) fn discards(&self, now: Moment) -> bool {
        self.stage.as_ref().is_some_and(|stage| stage.discards(now))
    }

    pub(super) fn has_torn(&self) -> bool {
        self.has_dropped || self.stage.as_ref().is_some_and(|stage| stage.has_torn())
    }

    pub(super) fn stats(&mut self) -> &mut ToxicStats {
        &mut self.stats
    }

    pub(super) fn sum(&self) -> &Arc<RunningSum> {
        self.stats.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::segment::Segments;
    use crate::toxic::span::Edge;
    use crate::toxic::trial;

    /// An empty span has no byte that could be overtaken.
    #[test]
    fn an_empty_span_delays_nothing() {
        let (mut queue, mut held, mut last, mut end) = (VecDeque::new(), 0, Moment::ZERO, None);
        let (mut buffer, toxic) = (Buffer::at(0), Arc::new(trial::toxic(0, trial::steady(5))));
        let mut stats = ToxicStats::of(toxic, Direction::Downstream);
        let mut out = Out {
            queue: &mut queue,
            held: &mut held,
            last: &mut last,
            end: &mut end,
            buffer: &mut buffer,
            stats: &mut stats,
        };
        let span =
            |range, millis| Span { range, segments: Segments::default(), at: trial::ms(millis), edge: Edge::Joined };
        out.pass(span(0..0, 900));
        out.pass(span(0..1, 100));
        assert_eq!(queue, [span(0..1, 100)]);
    }
}
