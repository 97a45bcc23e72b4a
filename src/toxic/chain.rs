//! The toxics of one direction of one connection, in their order, and the bytes that are on their way through them. Each
//! toxic holds what is not due at the next one yet, so that toxics can be exchanged in the middle of a stream: what a
//! removed one holds is let go.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use super::buffer::Buffer;
use super::link::Link;
use super::route_toxic::RouteToxic;
use super::segment::{Boundary, Segments};
use super::span::{Edge, End, EndKind, Span};
use super::stats::{Amount, RunningSum, ToxicEvent};
use super::{Moment, NEVER, Stage, TAKEN_AT_ONCE};
use crate::value::{CloseMode, Direction};

/// The most bytes that are written at once: enough to make the calls cheap beside the copying.
const WRITTEN_AT_ONCE: u64 = 256 * 1024;

/// How far a queue may reach into the future before no more is taken from the sender: long enough that a thread that is
/// woken late finds the queue still filled, short enough that the sender feels the link.
const QUEUE: Duration = Duration::from_millis(50);

/// A stream's way through its toxics.
pub struct Chain {
    direction: Direction,
    links: Vec<Link>,
    pub(super) buffer: Buffer,
    segments: Segments,
    /// From then on more may be taken from the sender.
    resumes: Moment,
    /// What has passed all links and can be written.
    pub(super) output: VecDeque<Span>,
    /// The end that has passed all links.
    pub(super) end: Option<End>,
    /// The sender has ended the stream.
    has_source_end: bool,
    /// A removed toxic had discarded bytes of the middle of the stream.
    is_torn: bool,
}

impl Chain {
    /// A chain without toxics for a stream of which `received` bytes have passed already.
    pub(super) fn new(direction: Direction, received: u64) -> Self {
        Self {
            direction,
            links: Vec::new(),
            buffer: Buffer::at(received),
            segments: Segments::default().after(Boundary::Turn, received),
            resumes: Moment::ZERO,
            output: VecDeque::new(),
            end: None,
            has_source_end: false,
            is_torn: false,
        }
    }

    /// The direction that it is for.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Puts bytes before everything else that it holds. No toxic acts on them.
    pub(super) fn preload(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.buffer.end();
        self.buffer.push(bytes);
        let range = start..self.buffer.end();
        self.output.push_back(Span { range, segments: self.segments, at: Moment::ZERO, edge: Edge::Joined });
    }

    /// Forgets the bytes that it holds, and goes on.
    pub fn discard_held(&mut self) {
        self.links.iter_mut().for_each(Link::discard_held);
        self.output.clear();
        self.release();
    }

    /// Goes on with these toxics in this order from `now` on. One that stays goes on as if nothing had happened, and what
    /// a removed one holds is let go. A new one, whose stage `stage` makes for the stream from that byte on, acts on what
    /// comes from now on.
    pub(super) fn exchange(
        &mut self,
        toxics: Vec<Arc<RouteToxic>>,
        opened: Moment,
        now: Moment,
        stage: impl Fn(&RouteToxic, Direction, u64) -> Box<dyn Stage>,
    ) {
        let (direction, received) = (self.direction, self.buffer.end());
        let mut old = std::mem::take(&mut self.links);
        for toxic in toxics {
            if let Some(place) = old.iter().position(|link| link.is_of(&toxic)) {
                let kept = old.remove(place);
                self.remove(old.drain(..place), now);
                self.links.push(kept);
            } else {
                let stage = stage(&toxic, direction, received);
                self.links.push(Link::new(toxic, stage, opened, direction));
            }
        }
        self.remove(old.into_iter(), now);
        let is_revoked = self.links.iter_mut().fold(false, |is_revoked, link| link.revoke_end(is_revoked));
        self.end = self.end.filter(|_| !is_revoked);
        self.links.retain(|link| !link.is_spent());
        self.resumes = Moment::ZERO;
    }

    /// Removed links stay until what they hold has gone on.
    fn remove(&mut self, links: impl Iterator<Item = Link>, now: Moment) {
        for mut link in links {
            self.is_torn |= link.has_torn();
            link.let_go(now);
            self.links.push(link);
        }
    }

    /// Whether it holds nothing, and nothing would happen to what comes.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.links.is_empty() && self.output.is_empty() && !self.has_source_end && !self.is_torn
    }

    /// Takes bytes that have come `now`.
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
        self.resumes = self.resumes.max(short_again(admitted));
        self.feed(0, Span { range, segments: self.segments, at: now, edge: Edge::Joined });
    }

    /// Takes the end of the stream, which has come `now`.
    pub fn push_end(&mut self, now: Moment, boundary: Boundary, kind: EndKind) {
        self.has_source_end = true;
        let offset = self.buffer.end();
        self.feed_end(0, End { at: now, kind, offset, segment: self.segments.of_end(boundary, offset) });
    }

    /// Moves everything on that is due.
    pub fn advance(&mut self, now: Moment) {
        while (0..self.links.len()).rev().any(|link| self.move_on(link, now)) {}
        self.links.retain(|link| !link.is_spent());
        self.release();
    }

    /// Moves on what is due at a link, as far as the next one has room for it.
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

    /// The most bytes that the place after a link takes now, if it takes any.
    fn room_after(&self, link: usize) -> Option<u64> {
        self.links.get(link + 1).map_or(Some(u64::MAX), Link::room)
    }

    fn feed(&mut self, link: usize, span: Span) {
        match self.links.get_mut(link) {
            Some(link) => link.take(span, &mut self.buffer),
            None => self.output.push_back(span),
        }
    }

    fn feed_end(&mut self, link: usize, end: End) {
        match self.links.get_mut(link) {
            Some(link) => link.take_end(end),
            None => self.end = Some(end),
        }
    }

    /// What is to be written as one, now.
    #[must_use]
    pub fn output(&self) -> Vec<IoSlice<'_>> {
        let (mut pieces, mut length) = (Vec::new(), 0);
        for span in &self.output {
            pieces.extend(self.buffer.slices(&span.range).map(IoSlice::new));
            length += span.length();
            if span.edge == Edge::Cut || length >= WRITTEN_AT_ONCE {
                break;
            }
        }
        pieces
    }

    /// Forgets that many bytes of the output, which have been written.
    pub fn written(&mut self, bytes: usize) {
        let mut left = bytes as u64;
        while let Some(span) = self.output.front_mut().filter(|_| left > 0) {
            left -= span.take(left).length();
            if span.range.is_empty() {
                self.output.pop_front();
            }
        }
        self.release();
    }

    /// Forgets the bytes that have left.
    fn release(&mut self) {
        let held = self.links.iter().rev().find_map(Link::first_offset);
        let first = self.output.front().map(|span| span.range.start).or(held);
        self.buffer.release(first.unwrap_or(self.buffer.end()));
    }

    /// Takes the end of the stream, once everything before it is written.
    pub fn take_end(&mut self) -> Option<End> {
        self.end.take_if(|_| self.output.is_empty())
    }

    /// Whether it holds bytes or the end of the stream.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        !self.output.is_empty() || self.end.is_some() || self.links.iter().any(|link| !link.is_empty())
    }

    /// Whether the sender has ended the stream.
    #[must_use]
    pub fn has_source_end(&self) -> bool {
        self.has_source_end
    }

    /// Whether bytes are left to be written now.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// The bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let output = self.output.capacity() * size_of::<Span>();
        self.buffer.memory() + output + self.links.iter().map(Link::memory).sum::<usize>()
    }

    /// When more of what it holds can be moved on. `NEVER` if all of it is held for ever, none if it holds nothing.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        let due = |(place, link): (usize, &Link)| self.room_after(place).and_then(|_| link.next_due());
        self.links.iter().enumerate().filter_map(due).min()
    }

    /// The first moment in which a toxic ends the connection, no matter what is in flight then.
    #[must_use]
    pub fn deadline(&self) -> Option<(Moment, CloseMode)> {
        let torn = self.is_torn.then_some((Moment::ZERO, CloseMode::Close));
        self.links.iter().filter_map(Link::deadline).chain(torn).min_by_key(|(at, _)| *at)
    }

    /// Records that the deadline has come, if it has by `now`. A thread that wakes up late may find the deadlines of
    /// several toxics due: only the first one has acted.
    pub fn record_deadline(&mut self, now: Moment) {
        let Some((due, _)) = self.deadline().filter(|(at, _)| *at <= now) else { return };
        let is_due = |link: &&mut Link| link.deadline().is_some_and(|(at, _)| at == due);
        let offset = self.buffer.end();
        if let Some(link) = self.links.iter_mut().find(is_due) {
            link.stats().record_end(offset, Amount::Delay(due));
        }
    }

    /// Whether nothing that comes now leaves.
    #[must_use]
    pub fn discards(&self, now: Moment) -> bool {
        self.links.iter().any(|link| link.discards(now))
    }

    /// From when on more may be taken from the sender.
    #[must_use]
    pub fn resumes(&self) -> Moment {
        let queued = self.links.iter().filter_map(Link::queued_until).max().unwrap_or_default();
        self.resumes.max(short_again(queued))
    }

    /// The most bytes to take from the sender now. What would come after a limit is not taken: what other toxics did to it
    /// would have no effect.
    #[must_use]
    pub fn takes(&self, now: Moment) -> usize {
        let pace = self.links.iter().filter_map(|link| link.pace(now)).min().unwrap_or(TAKEN_AT_ONCE as u64);
        let most = self.short_of_a_limit(now).map_or(pace, |left| left.min(pace));
        usize::try_from(most).unwrap_or(TAKEN_AT_ONCE)
    }

    fn short_of_a_limit(&self, now: Moment) -> Option<u64> {
        let mut in_flight = 0;
        let left = |link: &Link| {
            let left = link.left(now).map(|left| left.saturating_sub(in_flight));
            in_flight += link.held();
            left
        };
        self.links.iter().filter_map(left).min()
    }

    /// What is worth logging since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.links.iter_mut().flat_map(|link| link.stats().pending_events())
    }

    /// What each toxic has done so far: shared values, which go on.
    pub fn sums(&self) -> impl Iterator<Item = &Arc<RunningSum>> {
        self.links.iter().map(Link::sum)
    }
}

/// When a queue that lasts until a moment is short enough again.
fn short_again(until: Moment) -> Moment {
    if until == NEVER { NEVER } else { until.saturating_sub(QUEUE) }
}
