//! `stall`: a partition that heals. Everything is held, and none of it lost.

use super::chain::{Amount, Ledger, Out, TAKEN_AT_ONCE};
use super::{Moment, Span, Stage, schedule};
use crate::plan::{Millis, Stall, Window};

pub(super) struct Stalled {
    heals: Moment,
}

impl Stalled {
    pub(super) fn new(stall: Stall, window: Window) -> Self {
        let for_ever = stall.duration == Millis::default();
        let heals = schedule::after(window, stall.duration).filter(|_| !for_ever);
        Self { heals: heals.unwrap_or(window.ends()) }
    }
}

impl Stage for Stalled {
    fn pass(&mut self, mut span: Span, offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        if span.at < self.heals {
            out.tell(offset, Amount::Delay(self.heals.saturating_sub(span.at)));
            span.at = self.heals;
        }
        out.pass(span);
    }

    fn finish(&mut self, at: Moment, _: u64, _: &mut Ledger) -> Moment {
        at.max(self.heals)
    }

    /// What is not taken yet stays with the sender, as it does where the network is cut.
    fn pace(&self) -> Option<usize> {
        Some(TAKEN_AT_ONCE)
    }
}
