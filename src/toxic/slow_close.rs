//! `slow_close`: the end of the stream comes later.

use super::chain::{Amount, Ledger};
use super::{Moment, Stage};
use crate::plan::SlowClose;

pub(super) struct SlowlyClosing(pub(super) SlowClose);

impl Stage for SlowlyClosing {
    fn finish(&mut self, at: Moment, offset: u64, ledger: &mut Ledger) -> Moment {
        let delay = self.0.delay.duration();
        ledger.tell(offset, Amount::Delay(delay));
        at.saturating_add(delay)
    }
}
