//! `timeout`: discards all bytes and holds the end of the stream until the connection is closed. If the toxic's window
//! ends first, the connection is closed then if bytes were discarded; otherwise it continues.

use super::behaviour::{Behaviour, Coverage, Place};
use super::deadline::DeadlineStage;
use super::declaration::declare;
use super::out::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, History, Moment, Span, Stage};
use crate::value::{CloseMode, Millis};

declare! {
    /// Discards everything, then closes the connection. The FIN is discarded too. A `timeout` of 0 never closes. When
    /// `for` ends first, it closes a connection that has lost bytes, since no TCP stream goes on after a gap; any other
    /// goes on.
    pub struct TimeoutToxic("timeout", Ends, Arrival) {
        /// The time until the connection is closed; 0 is never.
        pub timeout: Millis = Millis::literal(0);
    }
}

impl TimeoutToxic {
    /// A timeout that never closes the connection.
    const ENDLESS: Self = Self { timeout: Millis::literal(0) };
}

impl Behaviour for TimeoutToxic {
    fn due(&self) -> Option<(&'static str, Millis)> {
        Some(("timeout", self.timeout)).filter(|_| *self != Self::ENDLESS)
    }

    fn acts_in(&self, coverage: Coverage) -> bool {
        coverage.has_stream() || (coverage.ends_the_connection() && *self != Self::ENDLESS)
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        if !place.coverage.has_stream() {
            return Box::new(DeadlineStage::new(self.timeout, CloseMode::Close, place));
        }
        let here = if place.coverage.ends_the_connection() { *self } else { Self::ENDLESS };
        Box::new(TimeoutStage::new(here, place.active, place.history))
    }
}

pub(super) struct TimeoutStage {
    timeout: TimeoutToxic,
    active: ActiveTime,
    has_discarded: bool,
}

impl TimeoutStage {
    fn new(timeout: TimeoutToxic, active: ActiveTime, History { has_discarded, .. }: History) -> Self {
        Self { timeout, active, has_discarded }
    }
}

impl Stage for TimeoutStage {
    fn pass(&mut self, span: Span, out: &mut Out<'_>) {
        self.has_discarded = true;
        out.stats().record_discard(&span);
    }

    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        stats.record_held_end(end, self.active.ends)
    }

    /// Closes the connection at the end of the window if bytes were discarded: a TCP stream can't continue after a gap.
    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        let closes = self.timeout.timeout != Millis::default();
        let asked = self.active.moment(self.timeout.timeout).filter(|_| closes);
        let gap = Some(self.active.ends).filter(|_| self.has_discarded);
        asked.or(gap).map(|at| (at, CloseMode::Close))
    }

    fn discards(&self, now: Moment) -> bool {
        self.active.contains(now)
    }

    fn has_gap(&self) -> bool {
        self.has_discarded
    }

    fn history(&self) -> History {
        History { has_discarded: self.has_discarded, ..History::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::trial::{chain, chain_of, finish, millis, ms, route, send, stream, target, toxic, within};
    use crate::toxic::{Effect, NEVER, Toxic};
    use crate::value::Direction;

    fn timeout(timeout: u32) -> Toxic {
        toxic(0, Effect::TimeoutToxic(TimeoutToxic { timeout: millis(timeout) }))
    }

    /// The time counts from when the toxic begins to act. It has no effect if the toxic no longer acts by then.
    #[test]
    fn closes_the_connection_after_its_timeout() {
        for (toxic, closes) in [
            (timeout(50), Some(ms(50))),
            (timeout(0), None),
            (within(10..100, timeout(50)), Some(ms(60))),
            (within(10..60, timeout(50)), None),
        ] {
            let deadline = chain(std::slice::from_ref(&toxic)).deadline();
            assert_eq!(deadline, closes.map(|at| (at, CloseMode::Close)), "{toxic:?}");
        }
    }

    #[test]
    fn it_discards_bytes_while_it_acts() {
        let mut chain = chain(&[within(10..20, timeout(0))]);
        let outcome = send(&mut chain, &stream(8), [(2, ms(9)), (3, ms(10)), (3, ms(19))]);
        assert_eq!(outcome.bytes, [0, 1]);
    }

    #[test]
    fn it_holds_the_end_while_it_acts() {
        for (arrival, due) in [(9, 9), (10, 20), (20, 20)] {
            assert_eq!(finish(&mut chain(&[within(10..20, timeout(0))]), ms(arrival)), ms(due));
        }
        assert_eq!(finish(&mut chain_of([timeout(50).effect]), ms(10)), NEVER);
    }

    /// A TCP stream can't continue after a gap. A stream without a gap can.
    #[test]
    fn the_end_of_the_window_closes_a_connection_with_a_gap() {
        let mut silent = chain(&[within(10..20, timeout(0))]);
        send(&mut silent, &stream(2), [(2, ms(9))]);
        assert_eq!(silent.deadline(), None);
        let mut lossy = chain(&[within(10..20, timeout(0))]);
        send(&mut lossy, &stream(2), [(2, ms(10))]);
        assert_eq!(lossy.deadline(), Some((ms(20), CloseMode::Close)));
    }

    /// With both streams selected, it closes the connection once and reports it once.
    #[test]
    fn one_direction_closes_the_connection() {
        let route = route(&[timeout(50)]);
        let mut up = route.chain(&target(1, ms(0)), Direction::Upstream, 0).expect("it acts");
        assert_eq!((up.deadline(), send(&mut up, &stream(9), [(9, ms(1))]).bytes.len()), (None, 0));
    }
}
