//! `limit_time`: ends the connection after a time.

use super::Stage;
use super::behaviour::{Behaviour, Coverage, Place};
use super::deadline::DeadlineStage;
use super::declaration::declare;
use crate::value::{CloseMode, Millis};

declare! {
    /// Ends the connection after a time. Both sides get a FIN or a RST.
    pub struct LimitTime("limit_time", Ends, Arrival) {
        /// The lifetime of the connection; it counts from when the toxic begins to act.
        pub time: Millis, such as Millis::literal(1000);
        /// Whether it ends with a RST.
        pub reset: CloseMode = CloseMode::Close;
    }
}

impl Behaviour for LimitTime {
    fn due(&self) -> Option<(&'static str, Millis)> {
        Some(("time", self.time))
    }

    fn acts_in(&self, coverage: Coverage) -> bool {
        coverage.ends_the_connection()
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(DeadlineStage::new(self.time, self.reset, place))
    }
}
