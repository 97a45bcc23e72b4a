//! `noop`: a toxic that does nothing, as a place for one that will.

use super::Stage;
use super::behaviour::{Behaviour, Place};
use super::declaration::declare;

declare! {
    /// Nothing.
    pub struct Noop("noop", Keeps, Offset) {}
}

impl Behaviour for Noop {
    fn stage(&self, _: &Place<'_>) -> Option<Box<dyn Stage>> {
        None
    }
}
