//! The faults of a config, and the config with some of them only. A config is JSON as a plan is written: every route has
//! every key.

use std::fmt;

use serde_json::{Value, json};

use crate::plan::keys::{DROP_RATE, LATENCY, NAME, ROUTES, TOXICS};

/// A fault of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fault {
    pub(super) route: String,
    pub(super) kind: FaultKind,
}

/// What kind of fault it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum FaultKind {
    /// The drop rate of the route.
    Drops,
    /// The latency of the route.
    Latency,
    /// The toxic of this name.
    Toxic(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Drops => write!(f, "{} of {}", DROP_RATE.name, self.route),
            FaultKind::Latency => write!(f, "{} of {}", LATENCY.name, self.route),
            FaultKind::Toxic(name) => write!(f, "{name} of {}", self.route),
        }
    }
}

/// The faults of a config, in the order in which they are written.
pub(super) fn of(config: &Value) -> Vec<Fault> {
    let of_route = |route: &Value| {
        let is_set = |key: &str| route[key].as_f64().is_some_and(|number| number > 0.0);
        let drops = is_set(DROP_RATE.name).then_some(FaultKind::Drops);
        let latency = is_set(LATENCY.name).then_some(FaultKind::Latency);
        let toxics = toxics(route).map(|toxic| FaultKind::Toxic(name_of(toxic)));
        let fault = |kind| Fault { route: name_of(route), kind };
        drops.into_iter().chain(latency).chain(toxics).map(fault).collect::<Vec<_>>()
    };
    config[ROUTES.name].as_array().into_iter().flatten().flat_map(of_route).collect()
}

/// The config with these faults and no others.
pub(super) fn keep(config: &Value, faults: &[Fault]) -> Value {
    let mut config = config.clone();
    for route in config[ROUTES.name].as_array_mut().into_iter().flatten() {
        let name = name_of(route);
        let has = |kind: FaultKind| faults.iter().any(|fault| fault.route == name && fault.kind == kind);
        if !has(FaultKind::Drops) {
            route[DROP_RATE.name] = json!(0.0);
        }
        if !has(FaultKind::Latency) {
            route[LATENCY.name] = json!(0);
        }
        if let Some(toxics) = route[TOXICS.name].as_array_mut() {
            toxics.retain(|toxic| has(FaultKind::Toxic(name_of(toxic))));
        }
    }
    config
}

/// The toxics of a route of the config.
pub(super) fn toxics(route: &Value) -> impl Iterator<Item = &Value> {
    route[TOXICS.name].as_array().into_iter().flatten()
}

/// The toxics of the route of this name, to change them.
pub(super) fn toxics_mut<'c>(config: &'c mut Value, route: &str) -> Option<&'c mut Vec<Value>> {
    let routes = config[ROUTES.name].as_array_mut()?;
    routes.iter_mut().find(|found| name_of(found) == route)?[TOXICS.name].as_array_mut()
}

/// The name of a route or a toxic.
pub(super) fn name_of(named: &Value) -> String {
    named[NAME.name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_keeps_what_is_kept_of_its_faults() {
        let toxics = json!([{ "name": "x", "type": "noop" }, { "name": "y", "type": "noop" }]);
        let config = json!({ "routes": [
            { "name": "a", "dropRate": 0.5, "latencyMs": 0, "toxics": toxics },
            { "name": "b", "dropRate": 0.0, "latencyMs": 9, "toxics": [] },
        ] });
        let all = of(&config);
        let names: Vec<String> = all.iter().map(Fault::to_string).collect();
        assert_eq!(names, ["dropRate of a", "x of a", "y of a", "latencyMs of b"]);
        assert_eq!(keep(&config, &all), config);
        let kept = keep(&config, &[all[2].clone()]);
        assert_eq!(of(&kept), [all[2].clone()]);
        assert_eq!(of(&keep(&config, &[])), []);
    }
}
