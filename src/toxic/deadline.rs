//! `limit_time` and `reset_peer`: the connection ends after a time, and until then nothing is done to it.

use super::{ActiveTime, Moment, Stage};
use crate::plan::{CloseMode, LimitTime, ResetPeer};

pub(super) struct DeadlineStage(Option<(Moment, CloseMode)>);

impl DeadlineStage {
    pub(super) fn of_limit(limit: LimitTime, active: ActiveTime) -> Self {
        Self(active.moment(limit.time).map(|at| (at, limit.close_mode)))
    }

    pub(super) fn of_reset(reset: ResetPeer, active: ActiveTime) -> Self {
        Self(active.moment(reset.timeout).map(|at| (at, CloseMode::Reset)))
    }
}

impl Stage for DeadlineStage {
    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Direction, Effect, Toxic};
    use crate::toxic::trial::{chain, finish, millis, ms, route, send, stream, target, toxic, within};

    fn limit_time(time: u32, close_mode: CloseMode) -> Toxic {
        toxic(0, Effect::LimitTime(LimitTime { time: millis(time), close_mode }))
    }

    fn reset_peer(timeout: u32) -> Toxic {
        toxic(0, Effect::ResetPeer(ResetPeer { timeout: millis(timeout) }))
    }

    /// So long after the toxic begins to act; not at all if it acts no more then.
    #[test]
    fn the_connection_ends_a_time_after_the_toxic_begins_to_act() {
        let reset = |at| Some((ms(at), CloseMode::Reset));
        let close = |at| Some((ms(at), CloseMode::Close));
        for (toxic, deadline) in [
            (limit_time(50, CloseMode::Close), close(50)),
            (limit_time(0, CloseMode::Reset), reset(0)),
            (within(10..100, limit_time(0, CloseMode::Close)), close(10)),
            (within(10..60, limit_time(50, CloseMode::Close)), None),
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
        for toxic in [limit_time(5, CloseMode::Close), reset_peer(5)] {
            let route = route(&[toxic]);
            assert!(route.chain(&target(1, ms(0)), Direction::Downstream, 0).is_some());
            assert!(route.chain(&target(1, ms(0)), Direction::Upstream, 0).is_none());
        }
    }

    /// What comes before leaves as it came.
    #[test]
    fn until_then_the_connection_is_healthy() {
        for toxic in [limit_time(50, CloseMode::Close), reset_peer(50)] {
            let mut chain = chain(&[toxic]);
            let outcome = send(&mut chain, &stream(9), [(9, ms(49))]);
            assert_eq!((outcome.bytes, outcome.leaves), (stream(9), vec![ms(49); 9]));
            assert_eq!((outcome.ended, finish(&mut chain, ms(49))), (None, ms(49)));
        }
    }
}
