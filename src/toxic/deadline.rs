//! The stage of `limit_time` and `reset_peer`: ends the connection after a time, and has no effect before.

use super::behaviour::Place;
use super::{Moment, Stage};
use crate::value::{CloseMode, Millis};

pub(super) struct DeadlineStage(Option<(Moment, CloseMode)>);

impl DeadlineStage {
    /// Ends the connection `after` the toxic begins to act, if it still acts by then.
    pub(super) fn new(after: Millis, close_mode: CloseMode, place: &Place<'_>) -> Self {
        Self(place.active.moment(after).map(|at| (at, close_mode)))
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
    use crate::toxic::trial::{chain, finish, millis, ms, route, send, stream, target, toxic, within};
    use crate::toxic::{Effect, LimitTime, ResetPeer, Toxic};
    use crate::value::Direction;

    fn limit_time(time: u32, close_mode: CloseMode) -> Toxic {
        toxic(0, Effect::LimitTime(LimitTime { time: millis(time), reset: close_mode }))
    }

    fn reset_peer(timeout: u32) -> Toxic {
        toxic(0, Effect::ResetPeer(ResetPeer { timeout: millis(timeout) }))
    }

    /// The time counts from when the toxic begins to act. It has no effect if the toxic no longer acts by then.
    #[test]
    fn ends_the_connection_after_its_time() {
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

    /// Only one direction has the deadline, which ends both.
    #[test]
    fn ends_the_connection_once() {
        for toxic in [limit_time(5, CloseMode::Close), reset_peer(5)] {
            let route = route(&[toxic]);
            assert!(route.chain(&target(1, ms(0)), Direction::Downstream, 0).is_some());
            assert!(route.chain(&target(1, ms(0)), Direction::Upstream, 0).is_none());
        }
    }

    /// Bytes before the deadline pass unchanged.
    #[test]
    fn does_nothing_before_its_time() {
        for toxic in [limit_time(50, CloseMode::Close), reset_peer(50)] {
            let mut chain = chain(&[toxic]);
            let outcome = send(&mut chain, &stream(9), [(9, ms(49))]);
            assert_eq!((outcome.bytes, outcome.due), (stream(9), vec![ms(49); 9]));
            assert_eq!((outcome.ended, finish(&mut chain, ms(49))), (None, ms(49)));
        }
    }
}
