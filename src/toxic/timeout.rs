//! `timeout`: a black hole. Everything is discarded, the end of the stream too, until the connection is closed or the
//! toxic acts no more. And the toxics that only end the connection after a time: `limit_time` and `reset_peer`.

use super::chain::{Amount, Ledger, Out};
use super::{Moment, Span, Stage, schedule};
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
        out.tell(offset, Amount::Bytes(span.length() as u64));
    }

    fn finish(&mut self, _: Moment, _: u64, _: &mut Ledger) -> Moment {
        self.window.ends()
    }

    fn deadline(&self) -> Option<(Moment, Ending)> {
        let acts = self.timeout.timeout != Millis::default();
        let at = schedule::after(self.window, self.timeout.timeout).filter(|_| acts);
        at.map(|at| (at, Ending::Close))
    }
}

/// Ends the connection at a moment.
pub(super) struct Ended(Option<(Moment, Ending)>);

impl Ended {
    pub(super) fn by_limit(limit: LimitTime, window: Window) -> Self {
        Self(schedule::after(window, limit.time).map(|at| (at, limit.ending)))
    }

    pub(super) fn by_reset(reset: ResetPeer, window: Window) -> Self {
        Self(schedule::after(window, reset.timeout).map(|at| (at, Ending::Reset)))
    }
}

impl Stage for Ended {
    fn deadline(&self) -> Option<(Moment, Ending)> {
        self.0
    }
}
