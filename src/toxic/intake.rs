//! The intake of a chain: counts the messages of the stream, watches them for the triggers of toxics, and holds back
//! the bytes for which a trigger is undecided.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Moment;
use super::messages::Messages;
use super::route_toxic::RouteToxic;
use super::search::{Arrived, Search};
use super::segment::Boundary;
use super::span::Span;
use crate::value::Direction;

/// The state of the intake.
#[derive(Debug, Default)]
pub(super) struct Intake {
    watches: Vec<Watch>,
    record: Option<Record>,
    /// Bytes that wait.
    waiting: VecDeque<Span>,
    /// The number of the present message; 0 before the first byte.
    message: u64,
    /// The offset of its first byte.
    message_start: u64,
    /// The offset after the last byte that has gone on. No point can be before it.
    gone_on: u64,
}

/// The search for the trigger of one toxic.
#[derive(Debug)]
struct Watch {
    toxic: Arc<RouteToxic>,
    search: Search,
}

/// Where the messages of the stream are recorded.
#[derive(Debug)]
struct Record {
    messages: Arc<Messages>,
    stream: Direction,
}

/// A point of the stream from which a toxic acts.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) toxic: Arc<RouteToxic>,
    pub(super) offset: u64,
}

impl Intake {
    /// Watches for the triggers of these toxics from now on. The searches of toxics that stay go on.
    pub(super) fn watch(&mut self, toxics: Vec<Arc<RouteToxic>>) {
        let mut old = std::mem::take(&mut self.watches);
        let continued = |toxic: Arc<RouteToxic>| {
            let place = old.iter().position(|watch| watch.toxic.is_same_addition(&toxic));
            let search = place.map(|place| old.swap_remove(place).search);
            let search = search.or_else(|| toxic.toxic.when.as_ref().map(Search::new));
            search.map(|search| Watch { toxic, search })
        };
        self.watches = toxics.into_iter().filter_map(continued).collect();
    }

    /// Records the messages from now on, if they are recorded.
    pub(super) fn record(&mut self, messages: Option<&Arc<Messages>>, stream: Direction) {
        self.record = messages.map(|messages| Record { messages: Arc::clone(messages), stream });
    }

    /// Whether nothing is watched for or recorded, and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.watches.is_empty() && self.record.is_none() && self.waiting.is_empty()
    }

    /// Adds a span, which waits. Returns the points that are known now.
    pub(super) fn arrive(&mut self, boundary: Boundary, span: Span, bytes: &[u8]) -> Vec<Found> {
        let start = span.range.start;
        if self.message == 0 || boundary == Boundary::Turn {
            (self.message, self.message_start) = (self.message + 1, start);
        }
        if let Some(Record { messages, stream }) = &self.record {
            messages.add(*stream, self.message, start, bytes);
        }
        self.waiting.push_back(span);
        let arrived = Arrived { start, bytes, message: self.message, message_start: self.message_start };
        self.find(|search| search.arrive(arrived))
    }

    /// The sender has paused or ended the stream. Nothing waits any longer. Returns the points that are known now.
    pub(super) fn pause(&mut self) -> Vec<Found> {
        self.find(|search| search.pause().into_iter().collect())
    }

    fn find(&mut self, mut search: impl FnMut(&mut Search) -> Vec<u64>) -> Vec<Found> {
        let mut found = Vec::new();
        for watch in &mut self.watches {
            let offsets = search(&mut watch.search).into_iter().map(|offset| offset.max(self.gone_on));
            found.extend(offsets.map(|offset| Found { toxic: Arc::clone(&watch.toxic), offset }));
        }
        found
    }

    /// Takes the next span that no trigger needs to wait for.
    pub(super) fn take_decided(&mut self, now: Moment) -> Option<Span> {
        let undecided = self.watches.iter().filter_map(|watch| watch.search.undecided()).min();
        self.take_until(undecided.unwrap_or(u64::MAX), now)
    }

    /// Takes the next span, which need not wait any longer.
    pub(super) fn take_any(&mut self, now: Moment) -> Option<Span> {
        self.take_until(u64::MAX, now)
    }

    /// Bytes that have waited go on at `now`, not at the time of their arrival: the toxic acts since now.
    fn take_until(&mut self, offset: u64, now: Moment) -> Option<Span> {
        let first = self.waiting.front_mut().filter(|first| first.range.start < offset)?;
        let mut span = first.take(offset - first.range.start);
        if first.range.is_empty() {
            self.waiting.pop_front();
        }
        span.at = now;
        self.gone_on = span.range.end;
        Some(span)
    }

    /// Discards what waits.
    pub(super) fn discard(&mut self) {
        self.waiting.clear();
    }

    /// Whether bytes wait.
    pub(super) fn holds_any(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The offset of the first byte that waits.
    pub(super) fn first_offset(&self) -> Option<u64> {
        self.waiting.front().map(|span| span.range.start)
    }

    /// The memory of the queue in bytes.
    pub(super) fn memory(&self) -> usize {
        self.waiting.capacity() * size_of::<Span>()
    }
}
