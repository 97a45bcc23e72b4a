//! `timeout`: everything is discarded, the end of the stream too, until the connection is closed or the toxic no longer
//! acts.

use super::behaviour::{Behaviour, Place};
use super::chain::Out;
use super::declaration::declare;
use super::stats::ToxicStats;
use super::{Moment, Span, Stage};
use crate::value::{CloseMode, Millis, Window};

declare! {
    /// Everything is discarded, FIN too. The connection is closed after this time, never for 0.
    pub struct TimeoutToxic("timeout", Ends, Arrival) {
        /// The time until the connection is closed; 0 is never.
        pub timeout: Millis = Millis::literal(0);
    }
}

impl TimeoutToxic {
    /// One that never closes the connection.
    const FOR_EVER: Self = Self { timeout: Millis::literal(0) };
}

impl Behaviour for TimeoutToxic {
    fn due(&self) -> Option<(&'static str, Millis)> {
        Some(("timeout", self.timeout)).filter(|_| *self != Self::FOR_EVER)
    }

    fn stage(&self, place: &Place<'_>) -> Option<Box<dyn Stage>> {
        let here = if place.ends_the_connection() { *self } else { Self::FOR_EVER };
        Some(Box::new(TimeoutStage::new(here, place.window)))
    }
}

pub(super) struct TimeoutStage {
    timeout: TimeoutToxic,
    window: Window,
}

impl TimeoutStage {
    pub(super) fn new(timeout: TimeoutToxic, window: Window) -> Self {
        Self { timeout, window }
    }
}

impl Stage for TimeoutStage {
    fn pass(&mut self, span: Span, offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        out.stats().record_discard(offset, span.length());
    }

    fn finish(&mut self, at: Moment, offset: u64, stats: &mut ToxicStats) -> Moment {
        stats.hold_the_end(offset, at, self.window.ends())
    }

    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        let acts = self.timeout.timeout != Millis::default();
        let at = self.window.moment(self.timeout.timeout).filter(|_| acts);
        at.map(|at| (at, CloseMode::Close))
    }

    fn discards(&self, now: Moment) -> bool {
        self.window.contains(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::NEVER;
    use crate::toxic::trial::{CLIENT, chain, chain_of, millis, ms, route, send, stream, toxic, within};
    use crate::toxic::{Effect, Toxic};
    use crate::value::Direction;

    fn timeout(timeout: u32) -> Toxic {
        toxic(0, Effect::TimeoutToxic(TimeoutToxic { timeout: millis(timeout) }))
    }

    /// Counted from when it begins to act; not at all if it no longer acts then.
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
    fn discards_bytes_and_ends_while_it_acts() {
        let mut chain = chain(&[within(10..20, timeout(0))]);
        assert_eq!(chain.finish(ms(10)), ms(20));
        let outcome = send(&mut chain, &stream(9), [(2, ms(9)), (3, ms(10)), (3, ms(19)), (1, ms(20))]);
        assert_eq!(outcome.bytes, [0, 1, 8]);
        assert_eq!(chain.finish(ms(20)), ms(20));
        assert_eq!(chain_of([timeout(50).effect]).finish(ms(10)), NEVER);
    }

    /// On both streams it closes the connection only once, and is reported once.
    #[test]
    fn one_direction_closes_the_connection() {
        let route = route(&[timeout(50)]);
        let mut up = route.chain(1, CLIENT, ms(0), Direction::Upstream).expect("it acts");
        assert_eq!((up.deadline(), send(&mut up, &stream(9), [(9, ms(1))]).bytes.len()), (None, 0));
    }
}
