//! `timeout`: a black hole. Everything is discarded, the end of the stream too, until the connection is closed or the
//! toxic acts no more. And the toxics that only end the connection after a time: `limit_time` and `reset_peer`.

use super::chain::Out;
use super::ledger::Ledger;
use super::{Moment, Span, Stage};
use crate::plan::{Ending, LimitTime, Millis, ResetPeer, TimeoutToxic, Window};

pub(super) struct BlackHole {
    timeout: TimeoutToxic,
    window: Window,
}

impl BlackHole {
    pub(super) fn new(timeout: TimeoutToxic, window: Window) -> Self {
        Self { timeout, window }
    }
}

impl Stage for BlackHole {
    fn pass(&mut self, span: Span, offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        out.ledger().tell_discard(offset, span.length());
    }

    fn finish(&mut self, at: Moment, offset: u64, ledger: &mut Ledger) -> Moment {
        ledger.hold_the_end(offset, at, self.window.ends())
    }

    fn deadline(&self) -> Option<(Moment, Ending)> {
        let acts = self.timeout.timeout != Millis::default();
        let at = self.window.moment(self.timeout.timeout).filter(|_| acts);
        at.map(|at| (at, Ending::Close))
    }

    fn discards(&self, now: Moment) -> bool {
        self.window.contains(now)
    }
}

/// Ends the connection at a moment.
pub(super) struct Ended(Option<(Moment, Ending)>);

impl Ended {
    pub(super) fn by_limit(limit: LimitTime, window: Window) -> Self {
        Self(window.moment(limit.time).map(|at| (at, limit.ending)))
    }

    pub(super) fn by_reset(reset: ResetPeer, window: Window) -> Self {
        Self(window.moment(reset.timeout).map(|at| (at, Ending::Reset)))
    }
}

impl Stage for Ended {
    fn deadline(&self) -> Option<(Moment, Ending)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Direction, Effect, Toxic};
    use crate::toxic::NEVER;
    use crate::toxic::trial::{CLIENT, chain, chain_of, millis, ms, route, send, stream, toxic, within};

    fn timeout(timeout: u32) -> Toxic {
        toxic(0, Effect::Timeout(TimeoutToxic { timeout: millis(timeout) }))
    }

    fn limit_time(time: u32, ending: Ending) -> Toxic {
        toxic(0, Effect::LimitTime(LimitTime { time: millis(time), ending }))
    }

    fn reset_peer(timeout: u32) -> Toxic {
        toxic(0, Effect::ResetPeer(ResetPeer { timeout: millis(timeout) }))
    }

    /// So long after it begins to act; not at all if it acts no more then.
    #[test]
    fn the_connection_ends_a_time_after_the_toxic_begins_to_act() {
        let reset = |at| Some((ms(at), Ending::Reset));
        let close = |at| Some((ms(at), Ending::Close));
        for (toxic, deadline) in [
            (timeout(50), close(50)),
            (timeout(0), None),
            (within(10..100, timeout(50)), close(60)),
            (within(10..60, timeout(50)), None),
            (limit_time(50, Ending::Close), close(50)),
            (limit_time(0, Ending::Reset), reset(0)),
            (within(10..100, limit_time(0, Ending::Close)), close(10)),
            (within(10..60, limit_time(50, Ending::Close)), None),
            (reset_peer(0), reset(0)),
            (within(10..100, reset_peer(50)), reset(60)),
            (reset_peer(u32::MAX), reset(u32::MAX.into())),
        ] {
            assert_eq!(chain(std::slice::from_ref(&toxic)).deadline(), deadline, "{toxic:?}");
        }
    }

    /// One direction does it for both.
    #[test]
    fn what_ends_a_connection_does_so_once() {
        for (toxic, both) in [(limit_time(5, Ending::Close), false), (reset_peer(5), false), (timeout(5), true)] {
            let route = route(&[toxic]);
            assert!(route.chain(1, CLIENT, ms(0), Direction::Downstream).is_some());
            assert_eq!(route.chain(1, CLIENT, ms(0), Direction::Upstream).is_some(), both);
        }
    }

    #[test]
    fn a_black_hole_discards_bytes_and_ends_as_long_as_it_acts() {
        let mut chain = chain(&[within(10..20, timeout(0))]);
        assert_eq!(chain.finish(ms(10)), ms(20));
        let outcome = send(&mut chain, &stream(9), [(2, ms(9)), (3, ms(10)), (3, ms(19)), (1, ms(20))]);
        assert_eq!(outcome.bytes, [0, 1, 8]);
        assert_eq!(chain.finish(ms(20)), ms(20));
        assert_eq!(chain_of([timeout(50).effect]).finish(ms(10)), NEVER);
    }

    /// Nothing else is done to it: what comes before leaves as it came.
    #[test]
    fn until_then_the_connection_is_healthy() {
        for toxic in [limit_time(50, Ending::Close), reset_peer(50)] {
            let mut chain = chain(&[toxic]);
            let outcome = send(&mut chain, &stream(9), [(9, ms(49))]);
            assert_eq!((outcome.bytes, outcome.leaves), (stream(9), vec![ms(49); 9]));
            assert_eq!((outcome.ended, chain.finish(ms(49))), (None, ms(49)));
        }
    }
}
