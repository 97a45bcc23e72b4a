//! `reset_peer`: resets the connection after a time.

use super::Stage;
use super::behaviour::{Behaviour, Coverage, Place};
use super::deadline::DeadlineStage;
use super::declaration::declare;
use crate::value::{CloseMode, Millis};

declare! {
    /// Resets the connection after a time. Both sides get a RST, even if nothing was ever sent.
    pub struct ResetPeer("reset_peer", Ends, Arrival) {
        /// The time until the reset.
        pub timeout: Millis = Millis::literal(0);
    }
}

impl Behaviour for ResetPeer {
    fn due(&self) -> Option<(&'static str, Millis)> {
        Some(("timeout", self.timeout))
    }

    fn acts_in(&self, coverage: Coverage) -> bool {
        coverage.ends_the_connection()
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(DeadlineStage::new(self.timeout, CloseMode::Reset, place))
    }
}
