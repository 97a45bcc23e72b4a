//! The toxics of one direction of one connection, in their order.

use std::sync::Arc;
use std::time::Duration;

use super::stats::{Amount, ToxicEvent, ToxicStats, ToxicSummary};
use super::{Edge, Moment, NEVER, Span, Stage, segment, until};
use crate::toxic::Toxic;
use crate::value::{CloseMode, Direction};

/// The most bytes that are handed to a chain at once.
pub const TAKEN_AT_ONCE: usize = 64 * 1024;

/// How far a queue may reach into the future before no more is taken from the sender: long enough that a thread that is
/// woken late finds the queue still filled, short enough that the sender feels the link.
const QUEUE: Duration = Duration::from_millis(50);

/// A stream's way through its toxics.
pub struct Chain {
    links: Vec<Link>,
    /// From then on more may be taken from the sender.
    resumes: Moment,
    ended: Option<(Moment, CloseMode)>,
}

/// One toxic and its place in the stream.
struct Link {
    stage: Box<dyn Stage>,
    /// The bytes that have come to this place.
    offset: u64,
    /// When the last of them went on: none overtakes it.
    last: Moment,
    stats: ToxicStats,
}

/// Where a stage puts what it lets go, and says what it did.
pub(super) struct Out<'a> {
    spans: &'a mut Vec<Span>,
    last: &'a mut Moment,
    ended: &'a mut Option<(Moment, CloseMode)>,
    stats: &'a mut ToxicStats,
}

impl Out<'_> {
    /// Passes it on after what went before. An empty span is dropped: it holds up nothing.
    pub(super) fn pass(&mut self, mut span: Span) {
        if span.range.is_empty() {
            return;
        }
        span.at = span.at.max(*self.last);
        *self.last = span.at;
        self.spans.push(span);
    }

    /// Ends the stream behind what went before.
    pub(super) fn end(&mut self, at: Moment, close_mode: CloseMode) {
        *self.ended = Some((at.max(*self.last), close_mode));
    }

    /// Where it says what it did.
    pub(super) fn stats(&mut self) -> &mut ToxicStats {
        self.stats
    }
}

impl Chain {
    /// A chain of these, in this order.
    pub(super) fn new(stages: Vec<(Arc<Toxic>, Box<dyn Stage>)>, direction: Direction) -> Self {
        let link =
            |(toxic, stage)| Link { stage, offset: 0, last: Moment::ZERO, stats: ToxicStats::of(toxic, direction) };
        Self { links: stages.into_iter().map(link).collect(), resumes: Moment::ZERO, ended: None }
    }

    /// What becomes of a chunk that has come `now`: the spans of it that leave, in order; what is in none of them is
    /// discarded. Bytes may be changed in place.
    pub fn pass(&mut self, now: Moment, bytes: &mut [u8]) -> Vec<Span> {
        let mut passed = Vec::new();
        let mut rest = Span { range: 0..bytes.len(), at: now, edge: Edge::Joined };
        while self.ended.is_none() && !rest.range.is_empty() {
            let part = rest.take(self.short_of_a_limit(now));
            passed.append(&mut self.pass_on(part, bytes));
        }
        passed
    }

    /// How many bytes come to no limit, or just up to one: what other toxics would do to those behind it, nobody sees. A
    /// limit whose time has not begun may only be met by bytes that are late: for those it is exact by a segment.
    fn short_of_a_limit(&self, now: Moment) -> usize {
        let left = |link: &Link| {
            let window = link.stats.toxic().selector.window;
            let least = if window.begins() <= now { 1 } else { segment::BYTES };
            link.stage.left().filter(|_| now < window.ends()).map(|left| left.max(least))
        };
        let shortest = self.links.iter().skip(1).filter_map(left).min();
        shortest.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn pass_on(&mut self, span: Span, bytes: &mut [u8]) -> Vec<Span> {
        let now = span.at;
        let mut spans = vec![span];
        for link in &mut self.links {
            let mut ended = None;
            let came = spans.last().map(|span| span.at);
            spans = link.pass(spans, bytes, &mut ended);
            if let (Some(came), Some(_)) = (came, link.stage.pace()) {
                self.resumes = self.resumes.max(short_again(now, until(link.last, came)));
            }
            // An end that is made here lies ahead of one that comes along.
            self.ended = ended.or_else(|| self.ended.map(|(at, close_mode)| (link.finish(at), close_mode)));
        }
        spans
    }

    /// When the end of stream leaves that has come `now`.
    pub fn finish(&mut self, now: Moment) -> Moment {
        self.links.iter_mut().fold(now, |at, link| link.finish(at))
    }

    /// How a toxic ends the stream behind the spans so far, and when; nothing that comes later leaves.
    #[must_use]
    pub fn ended(&self) -> Option<(Moment, CloseMode)> {
        self.ended
    }

    /// The first moment in which a toxic ends the connection, whatever is under way then.
    #[must_use]
    pub fn deadline(&self) -> Option<(Moment, CloseMode)> {
        self.links.iter().filter_map(|link| link.stage.deadline()).min_by_key(|(at, _)| *at)
    }

    /// The deadline has come, if it has by `now`: whoever set it has acted. A thread that wakes up late may find others
    /// due as well, which came too late.
    pub fn strike(&mut self, now: Moment) {
        let Some((due, _)) = self.deadline().filter(|(at, _)| *at <= now) else { return };
        let is_due = |link: &&mut Link| link.stage.deadline().is_some_and(|(at, _)| at == due);
        if let Some(link) = self.links.iter_mut().find(is_due) {
            link.stats.record_end(link.offset, Amount::Delay(due));
        }
    }

    /// Whether nothing that comes now leaves.
    #[must_use]
    pub fn discards(&self, now: Moment) -> bool {
        self.links.iter().any(|link| link.stage.discards(now))
    }

    /// From when on more may be taken from the sender.
    #[must_use]
    pub fn resumes(&self) -> Moment {
        self.resumes
    }

    /// How many bytes at most to take from the sender now.
    #[must_use]
    pub fn takes(&self, now: Moment) -> usize {
        let paces = self.links.iter().filter(|link| link.acts(now)).filter_map(|link| link.stage.pace());
        paces.min().unwrap_or(TAKEN_AT_ONCE)
    }

    /// What is worth telling since the last call.
    pub fn acts(&mut self) -> impl Iterator<Item = ToxicEvent> {
        self.links.iter_mut().flat_map(|link| link.stats.pending_events())
    }

    /// What each toxic that acted came to.
    #[must_use]
    pub fn summaries(&self) -> Vec<ToxicSummary> {
        self.links.iter().filter_map(|link| link.stats.summary()).collect()
    }
}

/// When a queue that reaches so far is short enough again.
fn short_again(now: Moment, queued: Duration) -> Moment {
    if queued == NEVER { NEVER } else { now.saturating_add(queued.saturating_sub(QUEUE)) }
}

impl Link {
    fn pass(&mut self, spans: Vec<Span>, bytes: &mut [u8], ended: &mut Option<(Moment, CloseMode)>) -> Vec<Span> {
        let mut passed = Vec::with_capacity(spans.len());
        for span in spans {
            let (offset, acting) = (self.offset, self.acts(span.at));
            self.offset += span.length() as u64;
            let mut out = Out { spans: &mut passed, last: &mut self.last, ended, stats: &mut self.stats };
            if acting {
                self.stage.pass(span, offset, bytes, &mut out);
            } else {
                out.pass(span);
            }
            if ended.is_some() {
                break;
            }
        }
        passed
    }

    fn finish(&mut self, at: Moment) -> Moment {
        let acting = self.acts(at);
        let at = if acting { self.stage.finish(at, self.offset, &mut self.stats) } else { at };
        at.max(self.last)
    }

    fn acts(&self, at: Moment) -> bool {
        self.stats.toxic().selector.window.contains(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::trial;

    /// An empty span has no byte that could be overtaken.
    #[test]
    fn an_empty_span_holds_up_nothing() {
        let (mut spans, mut last, mut ended) = (Vec::new(), Moment::ZERO, None);
        let toxic = Arc::new(trial::toxic(0, trial::steady(5)));
        let mut stats = ToxicStats::of(toxic, Direction::Downstream);
        let mut out = Out { spans: &mut spans, last: &mut last, ended: &mut ended, stats: &mut stats };
        let span = |range, millis| Span { range, at: trial::ms(millis), edge: Edge::Joined };
        out.pass(span(0..0, 900));
        out.pass(span(0..1, 100));
        assert_eq!(spans, [span(0..1, 100)]);
    }
}
