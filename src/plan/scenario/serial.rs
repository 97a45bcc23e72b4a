//! Serialises scenarios as config files have them.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Action, ORIGINAL, Scenario, Settings, Step, ToxicSettings};
use crate::plan::keys::{AT, CUT, DOWN, RAMP, REPEAT, SET, STEP_ROUTE, STEPS, TOXICS, UP};
use crate::plan::{RouteState, Scope};
use crate::value::Written;

/// A list of steps, or an object if it repeats.
impl Serialize for Scenario {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(repeat) = self.repeat() else { return self.steps().serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(REPEAT.name, &repeat.write())?;
        map.serialize_entry(STEPS.name, self.steps())?;
        map.end()
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(AT.name, &self.at.write())?;
        if let Scope::Route(route) = &self.routes {
            map.serialize_entry(STEP_ROUTE.name, &route.write())?;
        }
        match &self.action {
            Action::Set(settings) => map.serialize_entry(SET.name, settings)?,
            Action::Ramp(lasts, settings) => {
                map.serialize_entry(RAMP.name, &lasts.write())?;
                map.serialize_entry(SET.name, settings)?;
            }
            Action::Restore => map.serialize_entry(SET.name, ORIGINAL)?,
            Action::Switch(RouteState::Disabled) => map.serialize_entry(DOWN.name, &true)?,
            Action::Switch(RouteState::Enabled) => map.serialize_entry(UP.name, &true)?,
            Action::Cut(mode) => map.serialize_entry(CUT.name, &mode.write())?,
        }
        map.end()
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.route_values() {
            map.serialize_entry(key, &value)?;
        }
        if !self.toxics.is_empty() {
            map.serialize_entry(TOXICS.name, &ByName(&self.toxics))?;
        }
        map.end()
    }
}

/// An object of toxics, each an object of its values.
struct ByName<'a>(&'a [ToxicSettings]);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|it| (it.toxic.as_str(), it)))
    }
}

impl Serialize for ToxicSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.values())
    }
}
