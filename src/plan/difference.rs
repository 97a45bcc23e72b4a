//! Human-readable differences between two plans. Each is a line or a part of one. They are found in the serialised
//! forms, so a new key needs no code here. The changes of live routes are in `diff`.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::keys::{BIND, LOCAL_PORT, ROUTES, SCENARIO, TOXICS, UPSTREAM};
use super::{Change, Plan, Route};
use crate::toxic::Toxic;
use crate::toxic::keys::ATTRIBUTES;
use crate::value::RouteName;

/// A difference between two plans.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanDifference {
    /// A key of the file has another value.
    File(KeyDifference),
    /// The scenario is another one, of this number of steps, and begins again.
    Scenario(usize),
    /// The route is new.
    Added(Box<Route>),
    /// The route is gone.
    Removed(RouteName),
    /// The route has changed.
    Changed(RouteName, Difference),
}

/// A difference between two routes with the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// A key has another value.
    Key(KeyDifference),
    /// The toxic of this name is new.
    ToxicAdded(String),
    /// The toxic of this name is gone.
    ToxicRemoved(String),
    /// A key or an attribute of the toxic of this name has another value.
    ToxicChanged(String, KeyDifference),
    /// The toxics that both have are in another order, which is now this one.
    ToxicsReordered(Vec<String>),
}

/// A key with another value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDifference {
    key: String,
    old: Option<Value>,
    new: Option<Value>,
}

/// Returns the differences from `old` to `new`: keys of the file, its scenario, then removed routes, then the others in
/// the order of `new`.
#[must_use]
pub fn plan_differences(old: &Plan, new: &Plan) -> Vec<PlanDifference> {
    let [old_keys, new_keys] = [old, new].map(|plan| keys(plan, &[ROUTES.name, SCENARIO.name]));
    let file = changed_keys(&old_keys, &new_keys).into_iter().map(PlanDifference::File);
    let scenario = (old.scenario() != new.scenario()).then(|| PlanDifference::Scenario(new.scenario().steps().len()));
    let is_kept = |route: &&Route| find(new, &route.name).is_some();
    let removed = old.routes().iter().filter(|route| !is_kept(route));
    let removed = removed.map(|route| PlanDifference::Removed(route.name.clone()));
    let others = new.routes().iter().flat_map(|route| match find(old, &route.name) {
        None => vec![PlanDifference::Added(Box::new(route.clone()))],
        Some(old) => {
            let changed = |difference| PlanDifference::Changed(route.name.clone(), difference);
            route_differences(old, route).into_iter().map(changed).collect()
        }
    });
    file.chain(scenario).chain(removed).chain(others).collect()
}

fn find<'p>(plan: &'p Plan, name: &RouteName) -> Option<&'p Route> {
    plan.routes().iter().find(|route| route.name == *name)
}

/// Returns the differences from `old` to `new`: keys of the route, then its toxics.
#[must_use]
pub fn route_differences(old: &Route, new: &Route) -> Vec<Difference> {
    let [old_keys, new_keys] = [old, new].map(|route| keys(route, &[TOXICS.name]));
    let mut found: Vec<Difference> = changed_keys(&old_keys, &new_keys).into_iter().map(Difference::Key).collect();
    let removed = old.toxics.iter().filter(|toxic| !has(new, toxic));
    found.extend(removed.map(|toxic| Difference::ToxicRemoved(toxic.name.to_string())));
    found.extend(new.toxics.iter().flat_map(|toxic| toxic_differences(old, toxic)));
    found.extend(reordered(old, new));
    found
}

/// Describes a change of the routes that were `before`.
#[must_use]
pub fn describe(change: &Change, before: &[Route]) -> String {
    match change {
        Change::Add(route) => format!("added, {} -> {}", route.listen(), route.upstream),
        Change::Remove(_) => "removed".to_owned(),
        Change::Adjust(route) | Change::Restart(route) => {
            let old = before.iter().filter(|old| old.name == route.name);
            let differences = old.flat_map(|old| route_differences(old, route));
            differences.map(|difference| difference.to_string()).collect::<Vec<_>>().join("; ")
        }
    }
}

fn toxic_differences(old: &Route, toxic: &Toxic) -> Vec<Difference> {
    let name = toxic.name.to_string();
    let Some(before) = old.toxics.iter().find(|other| other.name == toxic.name) else {
        return vec![Difference::ToxicAdded(name)];
    };
    let changed = |difference| Difference::ToxicChanged(name.clone(), difference);
    changed_keys(&with_attributes(before), &with_attributes(toxic)).into_iter().map(changed).collect()
}

fn has(route: &Route, toxic: &Toxic) -> bool {
    route.toxics.iter().any(|other| other.name == toxic.name)
}

fn reordered(old: &Route, new: &Route) -> Option<Difference> {
    let common = |route: &Route, other: &Route| -> Vec<String> {
        route.toxics.iter().filter(|toxic| has(other, toxic)).map(|toxic| toxic.name.to_string()).collect()
    };
    let order = common(new, old);
    (common(old, new) != order).then_some(Difference::ToxicsReordered(order))
}

/// The keys of a serialised value, except for `nested`, whose differences are found one level below.
fn keys(value: &impl Serialize, nested: &[&str]) -> Map<String, Value> {
    let mut keys = object(value);
    keys.retain(|key, _| !nested.contains(&key.as_str()));
    keys
}

/// The keys of a toxic, together with its attributes: none of these has the name of a key.
fn with_attributes(toxic: &Toxic) -> Map<String, Value> {
    let mut keys = object(toxic);
    if let Some(Value::Object(attributes)) = keys.remove(ATTRIBUTES.name) {
        keys.extend(attributes);
    }
    keys
}

/// Plans, routes and toxics are objects, and have no value that JSON lacks.
fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(keys)) => keys,
        _ => Map::new(),
    }
}

fn changed_keys(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<KeyDifference> {
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let difference =
        |key: &String| KeyDifference { key: key.clone(), old: old.get(key).cloned(), new: new.get(key).cloned() };
    all.into_iter().map(difference).filter(|it| it.old != it.new).collect()
}

impl fmt::Display for PlanDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(difference) => write!(f, "~ {difference} (from the next start on)"),
            Self::Scenario(0) => f.write_str("- scenario"),
            Self::Scenario(1) => f.write_str("~ scenario  1 step (from its first step on)"),
            Self::Scenario(steps) => write!(f, "~ scenario  {steps} steps (from its first step on)"),
            Self::Added(route) => write!(f, "+ route {}  {} -> {}", route.name, route.listen(), route.upstream),
            Self::Removed(name) => write!(f, "- route {name}"),
            Self::Changed(name, difference) => write!(f, "~ route {name}  {difference}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(difference) if difference.restarts() => write!(f, "{difference} (restarts)"),
            Self::Key(difference) => difference.fmt(f),
            Self::ToxicAdded(name) => write!(f, "toxics: + {name}"),
            Self::ToxicRemoved(name) => write!(f, "toxics: - {name}"),
            Self::ToxicChanged(name, difference) => write!(f, "toxics: ~ {name} {difference}"),
            Self::ToxicsReordered(order) => write!(f, "toxics: in the order {}", order.join(", ")),
        }
    }
}

impl KeyDifference {
    /// Whether the route needs a new listener.
    fn restarts(&self) -> bool {
        [LOCAL_PORT, BIND, UPSTREAM].iter().any(|key| key.name == self.key)
    }
}

impl fmt::Display for KeyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| match value {
            None => "none".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        write!(f, "{} {} -> {}", self.key, text(&self.old), text(&self.new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::scenario::{Action, Step};
    use crate::plan::{DropMode, ListenAddress, RouteState, Scenario, Scope};
    use crate::toxic::{Effect, Latency};
    use crate::value::{Connections, Millis, Port, Probability, Selector, Stream, ToxicName};

    fn route(name: &str, upstream: &str, toxics: Vec<Toxic>) -> Route {
        let port = Port::try_from(8180).expect("a port");
        let (name, upstream) = (name.parse().expect(name), upstream.parse().expect(upstream));
        Route { toxics, ..Route::without_faults(name, [127, 0, 0, 1].into(), port, upstream) }
    }

    fn db(toxics: Vec<Toxic>) -> Route {
        route("db", "127.0.0.1:1", toxics)
    }

    fn toxic(name: &str, latency: u32) -> Toxic {
        Toxic {
            name: name.parse::<ToxicName>().expect(name),
            stream: Stream::default(),
            toxicity: Probability::ALWAYS,
            selector: Selector::default(),
            when: None,
            effect: Effect::Latency(Latency::literal(latency, 0)),
        }
    }

    fn lines(old: &Route, new: &Route) -> Vec<String> {
        route_differences(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_routes_do_not_differ() {
        let db = db(vec![toxic("a", 1)]);
        assert_eq!(route_differences(&db, &db), []);
    }

    #[test]
    fn keys_have_their_old_and_new_value() {
        let changed = Route {
            upstream: "127.0.0.1:2".parse().expect("an address"),
            drop_rate: Probability::ALWAYS,
            drop_mode: DropMode::Hang,
            state: RouteState::Disabled,
            ..db(Vec::new())
        };
        let expected = [
            "dropMode close -> hang",
            "dropRate 0.0 -> 1.0",
            "enabled true -> false",
            "upstream 127.0.0.1:1 -> 127.0.0.1:2 (restarts)",
        ];
        assert_eq!(lines(&db(Vec::new()), &changed), expected);
    }

    #[test]
    fn toxics_are_compared_by_name() {
        let old = db(vec![toxic("gone", 1), toxic("kept", 1), toxic("slower", 100)]);
        let new = db(vec![toxic("kept", 1), toxic("slower", 200), toxic("new", 1)]);
        assert_eq!(lines(&old, &new), ["toxics: - gone", "toxics: ~ slower latency 100 -> 200", "toxics: + new"]);
    }

    #[test]
    fn a_selector_that_only_one_has_differs_from_none() {
        let connections: Connections = "1-2".parse().expect("connections");
        let selector = Selector { connections, ..Selector::default() };
        let [all, few] = [db(vec![toxic("a", 1)]), db(vec![Toxic { selector, ..toxic("a", 1) }])];
        assert_eq!(lines(&all, &few), ["toxics: ~ a connections none -> 1-2"]);
        assert_eq!(lines(&few, &all), ["toxics: ~ a connections 1-2 -> none"]);
    }

    #[test]
    fn the_order_of_toxics_is_compared_among_those_that_both_have() {
        let old = db(vec![toxic("a", 1), toxic("gone", 1), toxic("b", 1)]);
        let [same, other] = [["a", "new", "b"], ["b", "a", "new"]].map(|names| db(names.map(|it| toxic(it, 1)).into()));
        assert_eq!(lines(&old, &same), ["toxics: - gone", "toxics: + new"]);
        assert_eq!(lines(&old, &other), ["toxics: - gone", "toxics: + new", "toxics: in the order b, a"]);
    }

    #[test]
    fn plans_differ_in_keys_of_the_file_and_in_routes() {
        let plan = |seed, routes| Plan::new(seed, routes).expect("no conflicts");
        let elsewhere = |name: &str, port| Route {
            port: Port::try_from(port).expect("a port"),
            ..route(name, "127.0.0.1:9", Vec::new())
        };
        let old = plan(Some(1), vec![elsewhere("old", 1), db(Vec::new())]);
        let slower = Route { latency: Millis::try_from(50).expect("milliseconds"), ..db(Vec::new()) };
        let admin: Option<ListenAddress> = "127.0.0.1:8474".parse().ok();
        let new = plan(None, vec![elsewhere("cache", 2), slower]).with_admin(admin);
        let step = Step { at: "1s".parse().expect("a time"), routes: Scope::All, action: Action::Restore };
        let new = new.with_scenario(Scenario::new(vec![step], None).expect("in order"));
        let lines: Vec<String> = plan_differences(&old, &new).iter().map(ToString::to_string).collect();
        let expected = [
            "~ admin none -> 127.0.0.1:8474 (from the next start on)",
            "~ seed 1 -> none (from the next start on)",
            "~ scenario  1 step (from its first step on)",
            "- route old",
            "+ route cache  127.0.0.1:2 -> 127.0.0.1:9",
            "~ route db  latencyMs 0 -> 50",
        ];
        assert_eq!(lines, expected);
        assert_eq!(plan_differences(&new, &new), []);
    }
}
