//! Events of a scenario, and their log lines.

use std::time::Duration;

use log::{info, warn};

use super::{Origin, micros};
use crate::plan::scenario::{Step, written};

/// An event of a scenario.
#[derive(Clone, Copy, Debug)]
pub enum ScenarioEvent<'a> {
    /// A step was made in that round, and this long after it was due.
    StepMade(&'a Step, u32, Duration),
    /// A ramp has reached its values.
    RampEnded(&'a Step, u32, Duration),
    /// A step could not be made, or not for all of its routes.
    StepFailed(&'a Step, &'a str),
    /// A reload has replaced the scenario. The new one has this number of steps, and begins now.
    Replaced(Origin, usize),
}

impl ScenarioEvent<'_> {
    pub(super) fn log(self) {
        match self {
            Self::StepMade(step, round, late) => info!(
                at:% = step.at, route:% = step.routes, what:% = step.action, round, late_us = micros(late); "scenario step"
            ),
            Self::RampEnded(step, round, late) => info!(
                at:% = written(step.end()), route:% = step.routes, what:% = step.action, round, late_us = micros(late);
                "ramp ended"
            ),
            Self::StepFailed(step, error) => warn!(
                at:% = step.at, route:% = step.routes, what:% = step.action, error; "scenario step failed"
            ),
            Self::Replaced(origin, 0) => info!(by:% = origin; "scenario ended"),
            Self::Replaced(origin, steps) => info!(by:% = origin, steps; "scenario begins"),
        }
    }
}
