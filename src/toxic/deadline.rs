//! `limit_time` and `reset_peer`: the connection ends after a time, and until then nothing is done to it.

use super::{Moment, Stage};
use crate::plan::{Ending, LimitTime, ResetPeer, Window};

pub(super) struct Deadline(Option<(Moment, Ending)>);

impl Deadline {
    pub(super) fn of_limit(limit: LimitTime, window: Window) -> Self {
        Self(window.moment(limit.time).map(|at| (at, limit.ending)))
    }

    pub(super) fn of_reset(reset: ResetPeer, window: Window) -> Self {
        Self(window.moment(reset.timeout).map(|at| (at, Ending::Reset)))
    }
}

impl Stage for Deadline {
    fn deadline(&self) -> Option<(Moment, Ending)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Direction, Effect, Toxic};
    use crate::toxic::trial::{CLIENT, chain, millis, ms, route, send, stream, toxic, within};

    fn limit_time(time: u32, ending: Ending) -> Toxic {
        toxic(0, Effect::LimitTime(LimitTime { time: millis(time), ending }))
    }

    fn reset_peer(timeout: u32) -> Toxic {
        toxic(0, Effect::ResetPeer(ResetPeer { timeout: millis(timeout) }))
    }

    /// So long after the toxic begins to act; not at all if it acts no more then.
    #[test]
    fn the_connection_ends_a_time_after_the_toxic_begins_to_act() {
        let reset = |at| Some((ms(at), Ending::Reset));
        let close = |at| Some((ms(at), Ending::Close));
        for (toxic, deadline) in [
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
        for toxic in [limit_time(5, Ending::Close), reset_peer(5)] {
            let route = route(&[toxic]);
            assert!(route.chain(1, CLIENT, ms(0), Direction::Downstream).is_some());
            assert!(route.chain(1, CLIENT, ms(0), Direction::Upstream).is_none());
        }
    }

    /// What comes before leaves as it came.
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
