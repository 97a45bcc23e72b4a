//! One toxic in a chain, with the bytes that it holds until they are due at the next one.

mod trigger;

use std::collections::VecDeque;
use std::sync::Arc;

use self::trigger::Pending;
pub(super) use self::trigger::Point;
use super::buffer::Buffer;
use super::out::{Held, Out};
use super::route_toxic::{RouteToxic, Stages};
use super::span::{End, Span};
use super::stats::{RunningSum, ToxicStats};
use super::{ActiveTime, History, Moment, Noop, Stage, Treatment};
use crate::value::CloseMode;

/// The most spans in a queue before the link accepts no more. Waiting does not change what a toxic does, and the limit
/// bounds the memory of a stream that is cut into single bytes.
const MAX_QUEUED: usize = 1024;

pub(super) struct Link {
    toxic: Arc<RouteToxic>,
    /// `None` once the toxic is removed.
    stage: Option<Box<dyn Stage>>,
    active: ActiveTime,
    /// The held spans, in order.
    queue: VecDeque<Held>,
    /// The end of the stream, which follows the queue.
    end: Option<End>,
    /// When the end arrived.
    end_arrived: Moment,
    /// The number of bytes in the queue.
    held: u64,
    /// When the last span has arrived.
    arrived: Moment,
    /// When the last span is due. No later span may be due earlier.
    last: Moment,
    /// The end of the stream has reached this link, or the toxic has ended the stream.
    has_ended: bool,
    /// The offset at which the toxic has ended the stream.
    made_end: Option<u64>,
    /// Bytes or an end arrived after the stream had ended here, and were discarded.
    has_dropped: bool,
    stats: ToxicStats,
    trigger: Option<Pending>,
}

impl Link {
    /// Creates the link of a toxic for the stream from byte `offset` on. One with a trigger waits for a point.
    pub(super) fn new(toxic: Arc<RouteToxic>, stages: &Stages, offset: u64, history: History) -> Self {
        let direction = stages.direction;
        let trigger = Pending::of(&toxic, direction);
        let active = toxic.active(stages.opened);
        let stage: Box<dyn Stage> =
            if trigger.is_some() { Box::new(Noop {}) } else { stages.stage(&toxic, active, offset, history) };
        Self {
            stage: Some(stage),
            active,
            queue: VecDeque::new(),
            end: None,
            end_arrived: Moment::ZERO,
            held: 0,
            arrived: Moment::ZERO,
            last: Moment::ZERO,
            has_ended: false,
            made_end: None,
            has_dropped: false,
            stats: ToxicStats::of(Arc::clone(&toxic.toxic), direction, toxic.recorded),
            trigger,
            toxic,
        }
    }

    pub(super) fn has_toxic(&self, toxic: &Arc<RouteToxic>) -> bool {
        self.stage.is_some() && Arc::ptr_eq(&self.toxic, toxic)
    }

    /// Whether the toxic is an earlier version of `toxic`.
    pub(super) fn has_version_of(&self, toxic: &RouteToxic) -> bool {
        self.stage.is_some() && toxic.is_version_of(&self.toxic)
    }

    /// What the toxic has done to the stream so far.
    pub(super) fn history(&self) -> History {
        self.stage.as_ref().map(|stage| stage.history()).unwrap_or_default()
    }

    /// Replaces the toxic by another version of it. If it only delays bytes, those that it holds are due when the new
    /// version delays them to; otherwise they keep their time.
    pub(super) fn updated_to(
        mut self,
        toxic: Arc<RouteToxic>,
        stages: &Stages,
        now: Moment,
        buffer: &mut Buffer,
    ) -> Self {
        self.has_dropped |= self.has_gap();
        let history = self.history();
        let Self { toxic, stage, active, mut stats, .. } = Self::new(toxic, stages, buffer.end(), history);
        stats.continue_from(&mut self.stats);
        (self.toxic, self.stage, self.active, self.stats) = (toxic, stage, active, stats);
        if let Some(since) = self.trigger.as_ref().and_then(Pending::since) {
            self.active = self.toxic.active_since(since);
            self.stage = Some(stages.stage(&self.toxic, self.active, buffer.end(), history));
        }
        if self.toxic.toxic.effect.toxic_type().treatment == Treatment::Keeps {
            self.hold_anew(now, buffer);
        }
        self
    }

    /// Passes everything that is held through the stage again.
    fn hold_anew(&mut self, now: Moment, buffer: &mut Buffer) {
        let (held, end) = (std::mem::take(&mut self.queue), self.end.take());
        self.held = 0;
        self.last = self.last.min(now);
        // An end that has moved on stays where it is.
        self.has_ended &= end.is_none();
        // A queue is served from now on: it was not empty in the time before.
        let queues = self.stage.as_ref().is_some_and(|stage| stage.pace().is_some());
        self.stats.count_extents_only();
        for Held { mut span, arrived } in held {
            span.at = if queues { now } else { arrived };
            self.pass(span, buffer);
        }
        if let Some(end) = end {
            self.finish(End { at: self.end_arrived, ..end });
        }
        self.stats.count_acts();
    }

    /// Removes the toxic. Its held spans are due at `now` at the latest. Later ones pass unchanged, but not before
    /// them.
    pub(super) fn remove_toxic(&mut self, now: Moment) {
        self.stage = None;
        self.last = self.last.min(now);
        self.queue.iter_mut().for_each(|held| held.span.at = held.span.at.min(now));
        self.end.iter_mut().for_each(|end| end.at = end.at.min(now));
    }

    /// Withdraws the end of the stream from this link if the toxic that made the end is removed: either this one, or an
    /// earlier one if `is_revoked`. Returns whether later links must withdraw it too.
    pub(super) fn revoke_end(&mut self, is_revoked: bool) -> bool {
        let revokes = if self.made_end.is_some() { self.stage.is_none() } else { is_revoked };
        if revokes {
            (self.end, self.has_ended, self.made_end) = (None, false, None);
        }
        revokes
    }

    /// Whether the toxic is removed and nothing is held any more.
    pub(super) fn is_spent(&self) -> bool {
        self.stage.is_none() && self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.end.is_none()
    }

    /// Passes a span on, and lets the toxic act from its points on.
    pub(super) fn take(&mut self, mut span: Span, buffer: &mut Buffer, stages: &Stages) {
        self.arrived = span.at;
        while let Some(point) = self.next_point(|point| point.offset < span.range.end) {
            let before = span.take(point.offset.saturating_sub(span.range.start));
            self.pass(before, buffer);
            self.begin_to_act(point, stages);
        }
        self.pass(span, buffer);
    }

    /// Passes the selected parts of a span to the stage, unless the stream has ended here, and the others around it.
    fn pass(&mut self, mut span: Span, buffer: &mut Buffer) {
        while !span.range.is_empty() {
            if self.has_ended {
                self.has_dropped = true;
                return;
            }
            let (is_selected, until) = self.toxic.toxic.selector.offsets.part(span.range.start);
            let part = span.take(until - span.range.start);
            let Self { stage, active, queue, held, end, last, stats, .. } = self;
            let mut out = Out { arrived: part.at, queue, held, last, end, buffer, stats };
            match stage {
                Some(stage) if is_selected && active.contains(part.at) => stage.pass(part, &mut out),
                _ => out.pass(part),
            }
            (self.has_ended, self.made_end) = (self.end.is_some(), self.end.map(|end| end.offset));
        }
    }

    /// Passes the end of the stream on.
    pub(super) fn take_end(&mut self, end: End, stages: &Stages) {
        self.reach(end.offset, stages);
        self.finish(end);
    }

    fn finish(&mut self, mut end: End) {
        if self.has_ended {
            self.has_dropped = true;
            return;
        }
        self.end_arrived = end.at;
        if self.active.contains(end.at)
            && self.toxic.toxic.selector.offsets.is_all()
            && let Some(stage) = &mut self.stage
        {
            end.at = stage.finish(end, &mut self.stats);
        }
        end.at = end.at.max(self.last);
        (self.end, self.has_ended) = (Some(end), true);
    }

    /// Discards the held bytes.
    pub(super) fn discard_held(&mut self) {
        self.queue = VecDeque::new();
        self.held = 0;
    }

    /// Takes at most `most` bytes off the front of the queue, if they are due.
    pub(super) fn pop(&mut self, now: Moment, most: u64) -> Option<Span> {
        let first = &mut self.queue.front_mut().filter(|held| held.span.at <= now)?.span;
        let front = first.take(most);
        self.held -= front.length();
        if first.range.is_empty() {
            self.queue.pop_front();
        }
        Some(front)
    }

    /// Takes the end if it is due and the queue is empty.
    pub(super) fn pop_end(&mut self, now: Moment) -> Option<End> {
        self.end.take_if(|end| self.queue.is_empty() && end.at <= now)
    }

    /// When the next held span, or else the end, is due.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.queue.front().map(|held| held.span.at).or(self.end.map(|end| end.at))
    }

    /// The offset of the first held byte.
    pub(super) fn first_offset(&self) -> Option<u64> {
        self.queue.front().map(|held| held.span.range.start)
    }

    /// All bytes before this offset have passed the link or were discarded, if those before `arrived` have come to it.
    pub(super) fn passed(&self, arrived: u64) -> u64 {
        let held_from = self.first_offset().unwrap_or(arrived);
        self.made_end.map_or(held_from, |end| end.min(held_from))
    }

    /// The number of held bytes.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The memory of the queue in bytes.
    pub(super) fn memory(&self) -> usize {
        self.queue.capacity() * size_of::<Held>()
    }

    /// The most bytes that the link accepts at once. `None` while its queue is full.
    pub(super) fn room(&self) -> Option<u64> {
        match self.stage.as_ref().and_then(|stage| stage.pace()) {
            Some(_) if self.queue.len() >= MAX_QUEUED => None,
            Some(pace) => Some(pace),
            None => Some(u64::MAX),
        }
    }

    /// For a toxic with a queue: the most bytes to read from the sender at a time.
    pub(super) fn pace(&self, now: Moment) -> Option<u64> {
        self.stage.as_ref().filter(|_| self.active.contains(now)).and_then(|stage| stage.pace())
    }

    /// For a toxic with a queue: when the last queued span is due.
    pub(super) fn queued_until(&self) -> Option<Moment> {
        self.stage.as_ref().and_then(|stage| stage.pace()).map(|_| self.last)
    }

    /// When the queue will be empty again, if the sender's next `bytes` arrive at `now`.
    pub(super) fn admit(&mut self, bytes: u64, now: Moment) -> Moment {
        let acting = self.stage.as_mut().filter(|_| self.active.contains(now));
        acting.map_or(now, |stage| stage.admit(bytes, now))
    }

    /// For a toxic that ends the stream: the number of bytes that still pass before the end.
    pub(super) fn left(&self, now: Moment) -> Option<u64> {
        let stage = self.stage.as_ref()?;
        if self.made_end.is_some() {
            return Some(0);
        }
        let left = stage.left()?;
        if self.has_ended {
            return Some(0);
        }
        // A limit of 0 acts on the first byte, so one byte is needed.
        Some(left.max(1)).filter(|_| self.active.contains(now))
    }

    pub(super) fn deadline(&self) -> Option<(Moment, CloseMode)> {
        self.stage.as_ref().and_then(|stage| stage.deadline())
    }

    pub(super) fn discards(&self, now: Moment) -> bool {
        self.stage.as_ref().is_some_and(|stage| stage.discards(now))
    }

    pub(super) fn has_gap(&self) -> bool {
        self.has_dropped || self.stage.as_ref().is_some_and(|stage| stage.has_gap())
    }

    pub(super) fn stats(&mut self) -> &mut ToxicStats {
        &mut self.stats
    }

    pub(super) fn sum(&self) -> &Arc<RunningSum> {
        self.stats.sum()
    }
}
