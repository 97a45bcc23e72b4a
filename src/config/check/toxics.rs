//! The toxics of a route: those of its profile, then its own in the order of the list. Their attributes are read in
//! `attributes`.

use std::collections::HashMap;

use super::Check;
use super::keys::{Keys, MapKind};
use crate::config::document::{Node, Place, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::Profile;
use crate::toxic::keys::{
    AFTER, ATTRIBUTES, CLIENTS, CONNECTIONS, DESTINATIONS, FOR, NAME, OFFSETS, STREAM, TOXICITY, TYPE, WHEN,
};
use crate::toxic::{Effect, TYPES, Toxic, ToxicType};
use crate::value::{Connections, Offsets, Selector, Timeout, ToxicName, Window};

const EXAMPLE: &str = r#"write a list, such as [ { "type": "latency", "attributes": { "latency": 100 } } ]"#;

/// The parts of a toxic that could be parsed.
pub(super) struct Draft {
    name: Option<ToxicName>,
    named: Named,
    toxic: Option<Toxic>,
}

/// The source of a name.
#[derive(Clone, Copy)]
enum Named {
    By(Place),
    /// The default name, from the type at that place.
    ByType(Place),
    ByProfile(Place),
}

impl<'t> Check<'t> {
    /// The toxics of a profile.
    pub(super) fn profile(&mut self, node: &'t Node) -> Option<Vec<Draft>> {
        let profiles: Vec<_> = Profile::ALL.iter().map(|profile| (profile.as_str(), *profile)).collect();
        let profile = self.one_of(node, "profiles", &profiles)?;
        let named = Named::ByProfile(node.place);
        let draft = |toxic: Toxic| Draft { name: Some(toxic.name.clone()), named, toxic: Some(toxic) };
        Some(profile.toxics().into_iter().map(draft).collect())
    }

    pub(super) fn toxics(&mut self, node: &'t Node) -> Option<Vec<Draft>> {
        match &node.value {
            Value::List(nodes) => Some(self.each_toxic(nodes)),
            Value::Map(_) => self.expected("a list of toxics", node, "put it into a list: [ {…} ]"),
            _ => self.expected("a list of toxics", node, EXAMPLE),
        }
    }

    pub(super) fn each_toxic(&mut self, nodes: &'t [Node]) -> Vec<Draft> {
        nodes.iter().map(|node| self.toxic(node, None)).collect()
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

    /// A toxic without a route, with this name if it has none.
    pub(super) fn lone_toxic(&mut self, node: &'t Node, name: Option<&ToxicName>) -> Option<Toxic> {
        self.toxic(node, name).toxic
    }

    fn toxic_type(&mut self, node: &'t Node) -> Option<&'static ToxicType> {
        let types: Vec<_> = TYPES.iter().map(|toxic_type| (toxic_type.name, *toxic_type)).collect();
        self.one_of(node, "types of toxics", &types)
    }

    /// The keys of a toxic. Without a name, it is called `name`, or by its type and stream.
    fn toxic(&mut self, node: &'t Node, name: Option<&ToxicName>) -> Draft {
        let Some(mut keys) = Keys::of(self, node, MapKind::A("toxic")) else { return Draft::of_nothing(node) };
        let kind = keys.read_with(&TYPE, Check::toxic_type, None);
        let stream = keys.read(&STREAM);
        let usual_name = kind.zip(stream).map(|(kind, stream)| ToxicName::default_of(kind.name, stream));
        let name = keys.read_with(&NAME, Check::value, name.cloned().or(usual_name));
        let toxicity = keys.read(&TOXICITY);
        let attributes = keys.read_with(&ATTRIBUTES, |_, node| Some(Some(node)), Some(None));
        let connections = keys.read_with(&CONNECTIONS, Check::value, Connections::default());
        let clients = keys.read_with(&CLIENTS, Check::words, Vec::new());
        let destinations = keys.read_with(&DESTINATIONS, Check::words, Vec::new());
        let after = keys.read(&AFTER);
        let lasts = keys.read_with(&FOR, |check, node| check.value(node).map(Some), Some(None));
        let offsets = keys.read_with(&OFFSETS, Check::value, Offsets::default());
        let when = keys.read_with(&WHEN, |check, node| check.trigger(node, stream).map(Some), Some(None));
        let misplaced = kind.map(|kind| keys.take(kind.attributes)).unwrap_or_default();
        keys.finish();

        let effect = kind.zip(attributes).and_then(|(kind, attributes)| self.effect(kind, attributes, misplaced, node));
        if let (Some(effect), Some(Some(lasts))) = (&effect, lasts) {
            self.unreachable(effect, lasts, node);
        }
        if let (Some(effect), Some(lasts), Some(Some(when))) = (&effect, lasts, &when) {
            self.acts_again(node, when, effect, lasts);
        }
        let named = match node.get(NAME.name) {
            Some(name) => Named::By(name.place),
            None => Named::ByType(node.get(TYPE.name).unwrap_or(node).place),
        };
        let toxic = || {
            let window = Window { after: after?, lasts: lasts? };
            let selector = Selector {
                connections: connections?,
                clients: clients?,
                destinations: destinations?,
                window,
                offsets: offsets?,
            };
            Some(Toxic {
                name: name.clone()?,
                stream: stream?,
                toxicity: toxicity?,
                selector,
                when: when?,
                effect: effect?,
            })
        };
        let toxic = toxic();
        Draft { name, named, toxic }
    }

    /// Reports an end of the connection at a time when the toxic no longer acts.
    fn unreachable(&mut self, effect: &Effect, lasts: Timeout, toxic: &Node) {
        let Some((key, due)) = effect.due() else { return };
        if due.duration() < lasts.duration() {
            return;
        }
        let at = position(toxic.get(ATTRIBUTES.name).unwrap_or(toxic), key);
        let what = format!("this never happens: the toxic acts for {} ms only", lasts.duration().as_millis());
        let hint = format!("let `for` be more than {} ms, or leave it out", due.get());
        self.problems.push(Problem::at(at, what, hint).also(position(toxic, FOR.name), "over by then"));
    }
}

/// The position of the value of `key`, or of the map if it has none.
fn position(map: &Node, key: &str) -> SourceSpan {
    map.get(key).unwrap_or(map).place.written
}

impl Draft {
    fn of_nothing(node: &Node) -> Self {
        Self { name: None, named: Named::ByType(node.place), toxic: None }
    }
}

impl Named {
    /// The problem of a toxic that has the name of an earlier one.
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
            // The same text, which aliases repeat.
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
