//! A link whose toxic waits for its trigger: it passes everything until the stream comes to a point, and acts from there
//! on.

use std::collections::VecDeque;

use super::Link;
use crate::toxic::Moment;
use crate::toxic::points::Reached;
use crate::toxic::route_toxic::{RouteToxic, Stages};
use crate::toxic::span::{End, EndKind};
use crate::toxic::stats::Amount;
use crate::value::{CloseMode, Direction};

/// What a link knows of its toxic's trigger.
#[derive(Debug)]
pub(super) struct Pending {
    /// Which stream it watches.
    watches: Watched,
    /// The points that the stream has not passed yet.
    points: VecDeque<Point>,
    /// The number of points of the other direction so far.
    announced: u64,
    /// When the toxic began to act.
    since: Option<Moment>,
}

/// Which stream a trigger watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    This,
    Other,
}

/// A point of the stream from which a toxic acts.
#[derive(Clone, Copy, Debug)]
pub(in crate::toxic) struct Point {
    pub(in crate::toxic) offset: u64,
    /// When it became known.
    pub(in crate::toxic) at: Moment,
}

impl Pending {
    /// `None` for a toxic without a trigger.
    pub(super) fn of(toxic: &RouteToxic, direction: Direction) -> Option<Self> {
        let watches = if toxic.watched()? == direction { Watched::This } else { Watched::Other };
        Some(Self { watches, points: VecDeque::new(), announced: 0, since: None })
    }

    /// When the toxic began to act.
    pub(super) fn since(&self) -> Option<Moment> {
        self.since
    }
}

impl Link {
    pub(in crate::toxic) fn has_trigger(&self) -> bool {
        self.trigger.is_some()
    }

    /// Adds a point of this stream from which the toxic acts.
    pub(in crate::toxic) fn add_point(&mut self, point: Point) {
        self.trigger.iter_mut().for_each(|trigger| trigger.points.push_back(point));
    }

    /// Looks for points of the other direction: the toxic acts on this stream from byte `offset` on.
    pub(in crate::toxic) fn notice(&mut self, reached: &Reached, offset: u64) {
        let Some(trigger) = self.trigger.as_mut().filter(|trigger| trigger.watches == Watched::Other) else { return };
        if let Some((times, at)) = reached.of(&self.toxic).filter(|(times, _)| *times > trigger.announced) {
            trigger.announced = times;
            trigger.points.push_back(Point { offset, at });
        }
    }

    /// Lets the toxic act if the stream has come to one of its points: the bytes before `offset` have passed.
    pub(in crate::toxic) fn reach(&mut self, offset: u64, stages: &Stages) {
        while let Some(point) = self.next_point(|point| point.offset <= offset) {
            self.begin_to_act(point, stages);
        }
    }

    pub(super) fn next_point(&mut self, is_reached: impl Fn(&Point) -> bool) -> Option<Point> {
        let points = &mut self.trigger.as_mut()?.points;
        if is_reached(points.front()?) { points.pop_front() } else { None }
    }

    /// The time counts from the point, but not from before its bytes have arrived here. If the toxic ends the
    /// connection at once, the stream ends here, after the bytes before the point.
    pub(super) fn begin_to_act(&mut self, point: Point, stages: &Stages) {
        let Some(trigger) = self.trigger.as_mut().filter(|_| self.stage.is_some() && !self.has_ended) else { return };
        let at = if trigger.watches == Watched::This { point.at.max(self.arrived) } else { point.at };
        trigger.since = Some(at);
        let active = self.toxic.active_since(at);
        let stage = stages.stage(&self.toxic, active, point.offset, self.history());
        if let Some((_, close_mode)) = stage.deadline().filter(|(due, _)| *due <= at) {
            self.end_stream(at, point.offset, close_mode);
        } else {
            (self.stage, self.active) = (Some(stage), active);
        }
    }

    fn end_stream(&mut self, at: Moment, offset: u64, close_mode: CloseMode) {
        self.stats.record_end(offset, Amount::Delay(at));
        let kind = EndKind::Toxic(close_mode);
        self.end = Some(End { at: at.max(self.last), kind, offset, segment: offset });
        (self.has_ended, self.made_end) = (true, Some(offset));
    }
}
