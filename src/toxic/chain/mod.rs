//! The toxics of one direction of one connection, in order, and the bytes in flight. Each toxic holds its bytes until
//! they are due at the next one. So toxics can be exchanged in the middle of a stream: the bytes that a removed toxic
//! holds are released.

mod exchange;
mod points;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use super::buffer::Buffer;
use super::intake::Intake;
use super::link::Link;
use super::output::Output;
use super::points::Reached;
use super::route_toxic::Stages;
use super::segment::{Boundary, Segments};
use super::span::{Edge, End, EndKind, Span};
use super::stats::{AddedDelay, Amount, RunningSum, ToxicEvent};
use super::{Moment, NEVER, TAKEN_AT_ONCE};
use crate::value::{CloseMode, Direction};

/// The longest queue, as a duration, that still allows reading from the sender. It is long enough for a thread that
/// wakes up late to find bytes in the queue, and short enough for the sender to be slowed down.
const QUEUE: Duration = Duration::from_millis(50);

/// The toxics that a stream passes through, and its bytes in flight.
pub struct Chain {
    stages: Stages,
    intake: Intake,
    links: Vec<Link>,
    pub(super) buffer: Buffer,
    segments: Segments,
    /// When reading from the sender may resume.
    resumes: Moment,
    /// Spans that have passed all links and can be written.
    pub(super) output: Output,
    /// The end of the stream, once it has passed all links.
    pub(super) end: Option<End>,
    /// Whether the sender has ended the stream.
    source_end: Option<EndKind>,
    /// Whether a removed toxic has discarded bytes from the middle of the stream.
    has_gap: bool,
    /// The points of the connection, if a toxic has a trigger.
    reached: Option<Arc<Reached>>,
    /// How many of them the links know of.
    noticed: u64,
}

impl Chain {
    /// Creates a chain without toxics, for a stream of which `received` bytes have passed already.
    pub(super) fn new(stages: Stages, received: u64) -> Self {
        Self {
            stages,
            intake: Intake::default(),
            links: Vec::new(),
            buffer: Buffer::at(received),
            segments: Segments::default().after(Boundary::Turn, received),
            resumes: Moment::ZERO,
            output: Output::default(),
            end: None,
            source_end: None,
            has_gap: false,
            reached: None,
            noticed: 0,
        }
    }

    /// The direction of the stream.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.stages.direction
    }

    /// Adds bytes that are sent before all others. No toxic acts on them.
    pub(super) fn preload(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.buffer.end();
        self.buffer.push(bytes);
        let range = start..self.buffer.end();
        self.output.push(Span {
            range,
            segments: self.segments,
            arrived: Moment::ZERO,
            at: Moment::ZERO,
            edge: Edge::Joined,
        });
    }

    /// Discards the bytes that the chain holds. Later bytes pass as before.
    pub fn discard_held(&mut self) {
        self.intake.discard();
        self.links.iter_mut().for_each(Link::discard_held);
        self.output.discard();
        self.release();
    }

    /// Whether the chain holds nothing and would pass all bytes unchanged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.intake.is_idle()
            && self.links.is_empty()
            && self.output.is_empty()
            && self.source_end.is_none()
            && !self.has_gap
    }

    /// Adds bytes that arrived at `now`.
    pub fn push(&mut self, now: Moment, boundary: Boundary, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.buffer.end();
        self.segments = self.segments.after(boundary, start);
        self.buffer.push(bytes);
        let range = start..self.buffer.end();
        let length = range.end - range.start;
        let admitted = self.links.iter_mut().map(|link| link.admit(length, now)).max().unwrap_or_default();
        self.resumes = self.resumes.max(resumes_after(admitted));
        self.notice(start);
        let span = Span { range, segments: self.segments, arrived: now, at: now, edge: Edge::Joined };
        if self.intake.is_idle() {
            self.feed(0, span);
        } else {
            let found = self.intake.arrive(boundary, span, bytes);
            self.add_points(found, now);
            self.take_decided(now);
        }
    }

    /// Adds the end of the stream, which arrived at `now`.
    pub fn push_end(&mut self, now: Moment, boundary: Boundary, kind: EndKind) {
        self.source_end = Some(kind);
        let offset = self.buffer.end();
        self.notice(offset);
        self.pause(now);
        self.feed_end(0, End { at: now, kind, offset, segment: self.segments.of_end(boundary, offset) });
    }

    /// Moves on everything that is due.
    pub fn advance(&mut self, now: Moment) {
        self.reach_points();
        while (0..self.links.len()).rev().any(|link| self.move_on(link, now)) {
            self.reach_points();
        }
        self.links.retain(|link| !link.is_spent());
        self.release();
    }

    /// Moves the due bytes of a link to the next one, as long as that has room. Returns whether anything moved.
    fn move_on(&mut self, link: usize, now: Moment) -> bool {
        let mut moved = false;
        while let Some(most) = self.room_after(link)
            && let Some(span) = self.links[link].pop(now, most)
        {
            self.feed(link + 1, span);
            moved = true;
        }
        if let Some(end) = self.links[link].pop_end(now) {
            self.feed_end(link + 1, end);
            moved = true;
        }
        moved
    }

    /// The most bytes that the next link accepts at once. `None` if it is full.
    fn room_after(&self, link: usize) -> Option<u64> {
        self.links.get(link + 1).map_or(Some(u64::MAX), Link::room)
    }

    fn feed(&mut self, link: usize, span: Span) {
        match self.links.get_mut(link) {
            Some(link) => link.take(span, &mut self.buffer, &self.stages),
            None => self.output.push(span),
        }
    }

    fn feed_end(&mut self, link: usize, end: End) {
        match self.links.get_mut(link) {
            Some(link) => link.take_end(end, &self.stages),
            None => self.end = Some(end),
        }
    }

    /// The bytes to send now in one write.
    #[must_use]
    pub fn output(&self) -> Vec<IoSlice<'_>> {
        self.output.pieces(&self.buffer)
    }

    /// The delay of the first byte of the output, if it is written `now`. `None` if no toxic delays it.
    #[must_use]
    pub fn delay(&self, now: Moment) -> Option<AddedDelay> {
        self.output.delay(now)
    }

    /// Removes `bytes` bytes from the output after they were written.
    pub fn written(&mut self, bytes: usize) {
        self.output.written(bytes);
        self.release();
    }

    /// Frees the memory of bytes that were sent or discarded.
    fn release(&mut self) {
        let held = self.links.iter().rev().find_map(Link::first_offset);
        let first = self.output.first_offset().or(held).or(self.intake.first_offset());
        self.buffer.release(first.unwrap_or(self.buffer.end()));
    }

    /// Takes the end of the stream once all bytes before it are written.
    pub fn take_end(&mut self) -> Option<End> {
        self.end.take_if(|_| self.output.is_empty())
    }

    /// Whether the chain holds bytes or the end of the stream.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        let is_empty = self.output.is_empty() && !self.intake.holds_any();
        !is_empty || self.end.is_some() || self.links.iter().any(|link| !link.is_empty())
    }

    /// Whether the sender has ended the stream.
    #[must_use]
    pub fn source_end(&self) -> Option<EndKind> {
        self.source_end
    }

    /// Whether bytes can be written now.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// The memory of the chain in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.buffer.memory()
            + self.intake.memory()
            + self.output.memory()
            + self.links.iter().map(Link::memory).sum::<usize>()
    }

    /// When the next held bytes or the end can move on. `NEVER` if everything is held forever, `None` if nothing is
    /// held.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        let due = |(place, link): (usize, &Link)| self.room_after(place).and_then(|_| link.next_due());
        self.links.iter().enumerate().filter_map(due).min()
    }

    /// The first time at which a toxic ends the connection, even if bytes are in flight.
    #[must_use]
    pub fn deadline(&self) -> Option<(Moment, CloseMode)> {
        let gap = self.has_gap.then_some((Moment::ZERO, CloseMode::Close));
        self.links.iter().filter_map(Link::deadline).chain(gap).min_by_key(|(at, _)| *at)
    }

    /// Records the deadline if it has passed by `now`. If a thread wakes up late, the deadlines of several toxics may
    /// have passed: only the first one counts.
    pub fn record_deadline(&mut self, now: Moment) {
        let Some((due, _)) = self.deadline().filter(|(at, _)| *at <= now) else { return };
        let is_due = |link: &&mut Link| link.deadline().is_some_and(|(at, _)| at == due);
        let offset = self.buffer.end();
        if let Some(link) = self.links.iter_mut().find(is_due) {
            link.stats().record_end(offset, Amount::Delay(due));
        }
    }

    /// Whether bytes that arrive now are discarded.
    #[must_use]
    pub fn discards(&self, now: Moment) -> bool {
        self.links.iter().any(|link| link.discards(now))
    }

    /// When reading from the sender may resume.
    #[must_use]
    pub fn resumes(&self) -> Moment {
        let queued = self.links.iter().filter_map(Link::queued_until).max().unwrap_or_default();
        self.resumes.max(resumes_after(queued))
    }

    /// The most bytes to read from the sender now, at most [`TAKEN_AT_ONCE`]. Bytes after a limit are not read: other
    /// toxics would act on them without effect.
    #[must_use]
    pub fn read_limit(&self, now: Moment) -> usize {
        let paces = self.links.iter().filter_map(|link| link.pace(now));
        let most = paces.chain(self.left_before_limit(now)).min().unwrap_or(u64::MAX);
        usize::try_from(most).map_or(TAKEN_AT_ONCE, |most| most.min(TAKEN_AT_ONCE))
    }

    fn left_before_limit(&self, now: Moment) -> Option<u64> {
        let mut in_flight = 0;
        let left = |link: &Link| {
            let left = link.left(now).map(|left| left.saturating_sub(in_flight));
            in_flight += link.held();
            left
        };
        self.links.iter().filter_map(left).min()
    }

    /// The events to log since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.links.iter_mut().flat_map(|link| link.stats().pending_events())
    }

    /// The running sums of all toxics, shared with other threads.
    pub fn sums(&self) -> impl Iterator<Item = &Arc<RunningSum>> {
        self.links.iter().map(Link::sum)
    }
}

/// When a queue that is empty at `until` is short enough to read again.
fn resumes_after(until: Moment) -> Moment {
    if until == NEVER { NEVER } else { until.saturating_sub(QUEUE) }
}
