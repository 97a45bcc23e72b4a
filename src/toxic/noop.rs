//! `noop`: has no effect. A placeholder, as in Toxiproxy.

use super::Stage;
use super::behaviour::{Behaviour, Coverage, Place};
use super::declaration::declare;

declare! {
    /// Does nothing.
    pub struct Noop("noop", Keeps, Offset) {}
}

impl Behaviour for Noop {
    fn acts_in(&self, _: Coverage) -> bool {
        false
    }

    fn stage(&self, _: &Place<'_>) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for Noop {}
