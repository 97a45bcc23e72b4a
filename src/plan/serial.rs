//! Serialises plans and routes as config files. Parsing the result gives an equal plan.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::keys::{
    ADMIN, BIND, CONNECT_TIMEOUT, DROP_MODE, DROP_RATE, ENABLED, EXPECT, EXPECTED_ROUTE, LATENCY, LOCAL_PORT, NAME,
    ROUTES, SCENARIO, SEED, TOXICS, TRANSPARENT, UPSTREAM,
};
use super::{Condition, Expectation, LocalPort, Plan, Route, Transparency};
use crate::value::Written;

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(seed) = self.seed() {
            map.serialize_entry(SEED.name, &seed)?;
        }
        if let Some(admin) = self.admin {
            map.serialize_entry(ADMIN.name, &admin.write())?;
        }
        map.serialize_entry(ROUTES.name, self.routes())?;
        if !self.scenario().is_empty() {
            map.serialize_entry(SCENARIO.name, self.scenario())?;
        }
        if !self.expectations.is_empty() {
            map.serialize_entry(EXPECT.name, &self.expectations)?;
        }
        map.end()
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(EXPECTED_ROUTE.name, &self.scope.write())?;
        for Condition { metric, want } in &self.conditions {
            map.serialize_entry(metric.name(), &want.write())?;
        }
        map.end()
    }
}

/// A profile is written as its toxics, and a port that the system has chosen as the word that asks for one.
impl Serialize for Route {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(LOCAL_PORT.name, &LocalPort::of(self).write())?;
        map.serialize_entry(UPSTREAM.name, &self.upstream.write())?;
        map.serialize_entry(NAME.name, &self.name.write())?;
        map.serialize_entry(BIND.name, &self.bind)?;
        if self.transparency == Transparency::Transparent {
            map.serialize_entry(TRANSPARENT.name, &self.transparency.write())?;
        }
        map.serialize_entry(ENABLED.name, &self.state.write())?;
        map.serialize_entry(DROP_RATE.name, &self.drop_rate.write())?;
        map.serialize_entry(DROP_MODE.name, &self.drop_mode.write())?;
        map.serialize_entry(LATENCY.name, &self.latency.write())?;
        map.serialize_entry(CONNECT_TIMEOUT.name, &self.connect_timeout.write())?;
        map.serialize_entry(TOXICS.name, &self.toxics)?;
        map.end()
    }
}
