//! What a step of a scenario sets. Its values are read by the declarations of the keys and attributes that they change.

use super::Check;
use super::keys::{Keys, MapKind};
use super::rehearsal::Rehearsal;
use super::scenario::StepDraft;
use super::values::short;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::Route;
use crate::plan::keys::{
    BIND, CONNECT_TIMEOUT, DROP_MODE, DROP_RATE, ENABLED, LATENCY, LISTEN, LOCAL_PORT, NAME, PROFILE, SET_TOXICS,
    SETTABLE, UPSTREAM,
};
use crate::plan::scenario::{SettingName, Settings, ToxicSettings};
use crate::spelling::nearest;
use crate::toxic::keys::{ATTRIBUTES, TOXIC, TOXICITY};
use crate::toxic::{Effect, Misfit, Source, Toxic};
use crate::value::{Key, Scalar, Written};

/// The keys of a route that stay as they are.
const FIXED: &[Key] = &[LOCAL_PORT, LISTEN, UPSTREAM, NAME, BIND, ENABLED, PROFILE];

impl<'t> Check<'t> {
    pub(super) fn settings(&mut self, node: &'t Node, step: &StepDraft<'t>, rehearsal: &Rehearsal) -> Option<Settings> {
        let mut keys = Keys::of(self, node, MapKind::A("set of faults"))?;
        let drop_rate = keys.read_over(&DROP_RATE, None);
        let drop_mode = keys.read_over(&DROP_MODE, None);
        let latency = keys.read_over(&LATENCY, None);
        let connect_timeout = keys.read_over(&CONNECT_TIMEOUT, None);
        let routes = step.routes.as_ref().and_then(|routes| rehearsal.selected(routes));
        let toxics =
            keys.read_with(&SET_TOXICS, |check, node| check.set_toxics(node, routes.as_deref()), Some(Vec::new()));
        for (key, _) in keys.take(FIXED) {
            keys.report(fixed(key));
        }
        keys.finish();
        self.not_empty(node, "nothing is set");
        Some(Settings { drop_rate, drop_mode, latency, connect_timeout, toxics: toxics? })
    }

    fn not_empty(&mut self, node: &Node, what: &str) {
        if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
            self.problems.push(Problem::at(node.place.written, what, "write at least one key and its value"));
        }
    }

    /// Reports values that a ramp can't move.
    pub(super) fn only_numbers(&mut self, node: &Node, settings: Option<&Settings>) {
        for (name, value) in settings.map(Settings::values).unwrap_or_default() {
            if let Scalar::Text(_) | Scalar::Flag(_) = value {
                let what = format!("a ramp moves numbers, and `{name}` is not one");
                let hint = "set it in a step of its own, without `ramp`";
                self.problems.push(Problem::at(place_of(node, &name), what, hint));
            }
        }
    }

    /// The settings of each toxic, which all of the routes have. Without routes, nothing is known of their toxics.
    fn set_toxics(&mut self, node: &'t Node, routes: Option<&[&Route]>) -> Option<Vec<ToxicSettings>> {
        let Value::Map(entries) = &node.value else {
            let hint = "write { \"NAME\": { \"latency\": 300 } }, with the name of a toxic that the route has";
            return self.expected("an object of toxics", node, hint);
        };
        self.not_empty(node, "nothing is set");
        let duplicates = Keys::of(self, node, MapKind::A("set of toxics")).is_some();
        let read = |(key, values)| self.set_toxic(key, values, routes?);
        let toxics: Vec<Option<ToxicSettings>> = entries.iter().map(|(key, values)| (key, values)).map(read).collect();
        toxics.into_iter().collect::<Option<_>>().filter(|_| duplicates)
    }

    /// The routes may have toxics of different types by that name: the values are read for each of them.
    fn set_toxic(&mut self, key: &'t Node, values: &'t Node, routes: &[&Route]) -> Option<ToxicSettings> {
        let name = self.name(key);
        let mut settings = None;
        for route in routes {
            settings = match route.toxics.iter().find(|toxic| toxic.name.as_str() == name) {
                Some(toxic) => Some(self.values_of_toxic(values, toxic)?),
                None => return self.no_such_toxic(key.place.written, name, route),
            };
        }
        settings
    }

    fn no_such_toxic<T>(&mut self, at: SourceSpan, name: &str, route: &Route) -> Option<T> {
        let known: Vec<&str> = route.toxics.iter().map(|toxic| toxic.name.as_str()).collect();
        let hint = match (nearest(name, &known), &known[..]) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, []) => {
                "it has none; a step changes toxics that the route has: one with a toxicity of 0 has no effect yet"
                    .to_owned()
            }
            (None, _) => format!("its toxics are {}", known.join(", ")),
        };
        let what = format!("route `{}` has no toxic `{}`", route.name, short(name));
        self.problems.push(Problem::at(at, what, hint));
        None
    }

    /// The values in `node`, in combination with those that `toxic` has.
    fn values_of_toxic(&mut self, node: &'t Node, toxic: &Toxic) -> Option<ToxicSettings> {
        let mut keys = Keys::of(self, node, MapKind::AttributesOf(toxic.effect.as_str()))?;
        let toxicity = keys.read_over(&TOXICITY, None);
        let effect = Effect::read(toxic.effect.as_str(), &mut Merged { keys: &mut keys, present: &toxic.effect });
        for (key, _) in keys.take(TOXIC) {
            keys.report(fixed_of_toxic(key));
        }
        keys.finish();
        self.not_empty(node, "nothing is set");
        let effect = effect?;
        self.due_within_window(node, toxic, &effect);
        let attributes = effect.attributes().filter(|(name, _)| node.get(name).is_some()).collect();
        Some(ToxicSettings { toxic: toxic.name.clone(), toxicity, attributes })
    }

    /// Reports an end of the connection at a time when the toxic no longer acts.
    fn due_within_window(&mut self, node: &Node, toxic: &Toxic, effect: &Effect) {
        let (Some((key, due)), Some(lasts)) = (effect.due(), toxic.selector.window.lasts) else { return };
        if let Some(value) = node.get(key).filter(|_| due.duration() >= lasts.duration()) {
            let what = format!("this never happens: the toxic acts for {} ms only", lasts.get());
            self.problems.push(Problem::at(value.place.written, what, format!("use less than {}", lasts.get())));
        }
    }
}

fn fixed(key: &Node) -> Problem {
    let name = if let Value::Text(name) = &key.value { name } else { "" };
    let settable: Vec<&str> = SETTABLE.iter().map(|key| key.name).collect();
    let hint = match name {
        _ if name == ENABLED.name => "write \"down\": true or \"up\": true instead of `set`".to_owned(),
        _ => format!("a step can set {}", settable.join(", ")),
    };
    Problem::at(key.place.written, format!("a step can't set `{name}`"), hint)
}

fn fixed_of_toxic(key: &Node) -> Problem {
    let name = if let Value::Text(name) = &key.value { name } else { "" };
    let hint = match name {
        _ if name == ATTRIBUTES.name => "write the attributes here, beside `toxicity`",
        _ => "a step can set `toxicity` and the attributes",
    };
    Problem::at(key.place.written, format!("a step can't set `{name}` of a toxic"), hint)
}

/// The position of the value of a setting.
fn place_of(node: &Node, name: &SettingName) -> SourceSpan {
    let value = match name {
        SettingName::Route(key) => node.get(key),
        SettingName::Toxic(toxic, key) => {
            node.get(SET_TOXICS.name).and_then(|toxics| toxics.get(toxic.as_str())).and_then(|it| it.get(key))
        }
    };
    value.unwrap_or(node).place.written
}

/// Attributes of a step, and those of the toxic that it leaves as they are.
struct Merged<'k, 'c, 't> {
    keys: &'k mut Keys<'c, 't>,
    present: &'k Effect,
}

impl Source for Merged<'_, '_, '_> {
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T> {
        let present = self.present.attribute(attribute.name).and_then(|value| T::read(value).ok());
        self.keys.read_over(attribute, present)
    }

    fn reject(&mut self, misfit: Misfit) {
        self.keys.reject(misfit);
    }
}
