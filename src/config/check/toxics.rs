//! The toxics of a route: those that its profile brings along, then its own in the order of the list. What a toxic of
//! each type is told lives in `attributes`.

use std::collections::HashMap;

use super::Check;
use super::attributes::{Read, TYPES};
use super::keys::{Keys, MapKind};
use crate::config::document::{Node, Place, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::{
    Connections, Effect, Millis, Probability, Profile, Selector, Stream, Timeout, Toxic, ToxicName, Window,
};

const EXAMPLE: &str = r#"write a list, such as [ { "type": "latency", "attributes": { "latency": 100 } } ]"#;

/// A toxic as far as it could be read.
pub(super) struct Draft {
    name: Option<ToxicName>,
    named: Named,
    toxic: Option<Toxic>,
}

/// Where a toxic has its name from.
#[derive(Clone, Copy)]
enum Named {
    By(Place),
    /// It has none of its own; its type is there.
    ByType(Place),
    ByProfile(Place),
}

impl<'t> Check<'t> {
    /// A profile is what it brings along.
    pub(super) fn profile(&mut self, node: &'t Node) -> Option<Vec<Draft>> {
        let profiles = Profile::ALL.map(|profile| (profile.as_str(), profile));
        let (_, profile) = self.one_of(node, "profiles", &profiles)?;
        let named = Named::ByProfile(node.place);
        let draft = |toxic: Toxic| Draft { name: Some(toxic.name.clone()), named, toxic: Some(toxic) };
        Some(profile.toxics().into_iter().map(draft).collect())
    }

    pub(super) fn toxics(&mut self, node: &'t Node) -> Option<Vec<Draft>> {
        match &node.value {
            Value::List(nodes) => Some(nodes.iter().map(|node| self.toxic(node)).collect()),
            Value::Map(_) => self.expected("a list of toxics", node, "put it into a list: [ {…} ]"),
            _ => self.expected("a list of toxics", node, EXAMPLE),
        }
    }

    /// All toxics of a route, unless one of them could not be read; no two of them have the same name.
    pub(super) fn chain(&mut self, profile: Option<Vec<Draft>>, own: Option<Vec<Draft>>) -> Option<Vec<Toxic>> {
        let whole = profile.is_some() && own.is_some();
        let drafts: Vec<Draft> = profile.into_iter().chain(own).flatten().collect();
        let mut names = HashMap::new();
        for Draft { name, named, .. } in &drafts {
            let Some(name) = name else { continue };
            match names.get(name) {
                Some(first) => self.problems.push(named.again(name, *first)),
                None => drop(names.insert(name, *named)),
            }
        }
        let toxics = drafts.into_iter().map(|draft| draft.toxic).collect();
        if whole { toxics } else { None }
    }

    /// What every toxic says of itself.
    fn toxic(&mut self, node: &'t Node) -> Draft {
        let Some(mut keys) = Keys::of(self, node, MapKind::A("toxic")) else { return Draft::of_nothing(node) };
        let kind = keys.required("type", "what it does, such as \"latency\"", |check, node| {
            check.one_of(node, "types of toxics", TYPES)
        });
        let stream = keys.optional("stream", Check::word, Stream::default());
        let default_name = kind.zip(stream).map(|((kind, _), stream)| ToxicName::default_of(kind, stream));
        let name = keys.optional("name", Check::word, default_name);
        let toxicity = keys.optional("toxicity", Check::real, Probability::ALWAYS);
        let attributes = keys.optional("attributes", |_, node| Some(Some(node)), Some(None));
        let connections = keys.optional("connections", Check::word, Connections::default());
        let clients = keys.optional("clients", Check::words, Vec::new());
        let after = keys.optional("after", Check::whole, Millis::default());
        let lasts = keys.optional("for", |check, node| check.whole(node).map(Some), Some(None));
        keys.finish();

        let effect = kind.zip(attributes).and_then(|(kind, attributes)| self.effect(kind, attributes, node));
        if let (Some(effect), Some(Some(lasts))) = (&effect, lasts) {
            self.unreachable(effect, lasts, node);
        }
        let named = match node.get("name") {
            Some(name) => Named::By(name.place),
            None => Named::ByType(node.get("type").unwrap_or(node).place),
        };
        let toxic = || {
            let window = Window { after: after?, lasts: lasts? };
            let selector = Selector { connections: connections?, clients: clients?, window };
            Some(Toxic { name: name.clone()?, stream: stream?, toxicity: toxicity?, selector, effect: effect? })
        };
        let toxic = toxic();
        Draft { name, named, toxic }
    }

    /// No attributes are as good as empty ones: what is required is missing in either.
    fn effect(
        &mut self,
        (kind, read): (&'static str, Read),
        attributes: Option<&'t Node>,
        toxic: &Node,
    ) -> Option<Effect> {
        let map_kind = MapKind::AttributesOf(kind);
        let mut keys = match attributes {
            Some(attributes) => Keys::of(self, attributes, map_kind)?,
            None => Keys::none(self, toxic.place.written, map_kind),
        };
        let effect = read(&mut keys);
        keys.finish();
        effect
    }

    /// Reports what is to happen at a time when the toxic acts no more.
    fn unreachable(&mut self, effect: &Effect, lasts: Timeout, toxic: &Node) {
        let Some((key, due)) = due(effect) else { return };
        if due.duration() < lasts.duration() {
            return;
        }
        let at = position(toxic.get("attributes").unwrap_or(toxic), key);
        let what = format!("this never happens: the toxic acts for {} ms only", lasts.duration().as_millis());
        let hint = format!("let `for` be more than {} ms, or leave it out", due.get());
        self.problems.push(Problem::at(at, what, hint).also(position(toxic, "for"), "over by then"));
    }
}

/// After how long an effect ends the connection, counted like `for`, and what that is called. A stall needs no time to
/// be over: at the end of `for` it is.
fn due(effect: &Effect) -> Option<(&'static str, Millis)> {
    match effect {
        Effect::LimitTime(limit) => Some(("time", limit.time)),
        Effect::Timeout(toxic) => Some(("timeout", toxic.timeout)).filter(|(_, never)| *never != Millis::default()),
        Effect::ResetPeer(reset) => Some(("timeout", reset.timeout)),
        _ => None,
    }
}

/// Where the value of `key` was written, or the map that has none.
fn position(map: &Node, key: &str) -> SourceSpan {
    map.get(key).unwrap_or(map).place.written
}

impl Draft {
    fn of_nothing(node: &Node) -> Self {
        Self { name: None, named: Named::ByType(node.place), toxic: None }
    }
}

impl Named {
    /// What is wrong with a toxic that is named like an earlier one.
    fn again(self, name: &ToxicName, first: Self) -> Problem {
        let hint = match self {
            Self::ByType(_) => "give it a `name`: without one it is called by its type and stream",
            Self::By(_) | Self::ByProfile(_) => "give each toxic of a route a name of its own",
        };
        let label = match first {
            Self::By(_) | Self::ByType(_) => "first used here",
            Self::ByProfile(_) => "the profile has one of that name",
        };
        let what = format!("two toxics of this route are called `{name}`");
        let (at, first_at) = match (self.place(), first.place()) {
            // One toxic that aliases put there twice.
            (again, first) if again.written == first.written => (again.used, first.used),
            (again, first) => (again.written, first.written),
        };
        Problem::at(at, what, hint).also(first_at, label)
    }

    fn place(self) -> Place {
        let (Self::By(place) | Self::ByType(place) | Self::ByProfile(place)) = self;
        place
    }
}
