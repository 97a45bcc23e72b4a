//! The keys of one map: each is read at most once; those that were not read are unknown. How messages name a map is
//! here too.

use std::collections::BTreeMap;

use super::Check;
use super::synonyms::synonym;
use super::values::short;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::spelling::nearest;
use crate::value::{Key, Presence, Written};

/// How messages name a map and its entries.
#[derive(Clone, Copy)]
pub(super) enum MapKind {
    /// An object, by what it describes.
    A(&'static str),
    /// The attributes of a toxic of that type.
    AttributesOf(&'static str),
}

impl MapKind {
    fn kind(self) -> String {
        match self {
            Self::A(what) if what.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {what} (an object)"),
            Self::A(what) => format!("a {what} (an object)"),
            Self::AttributesOf(_) => "attributes (an object)".to_owned(),
        }
    }

    fn unknown(self, name: &str) -> String {
        match self {
            Self::A(_) => format!("unknown key `{name}`"),
            Self::AttributesOf(kind) => format!("a {kind} toxic has no attribute `{name}`"),
        }
    }

    fn all(self, known: &[&str]) -> String {
        match (self, known) {
            (Self::A(_), _) => format!("the keys are {}", known.join(", ")),
            (Self::AttributesOf(_), []) => "remove it: there are none".to_owned(),
            (Self::AttributesOf(_), [only]) => format!("the only one is {only}"),
            (Self::AttributesOf(_), _) => format!("the attributes are {}", known.join(", ")),
        }
    }

    fn lacks(self, key: &str) -> String {
        match self {
            Self::A(what) => format!("this {what} has no `{key}`"),
            Self::AttributesOf(kind) => format!("this {kind} toxic has no `{key}`"),
        }
    }

    fn addition(self, key: &str, meaning: &str) -> String {
        match self {
            Self::A(_) => format!("add `{key}`: {meaning}"),
            Self::AttributesOf(_) => format!("add `{key}` to its attributes: {meaning}"),
        }
    }
}

pub(super) struct Keys<'c, 't> {
    check: &'c mut Check<'t>,
    map_kind: MapKind,
    /// The position of the map, where a missing key is reported.
    whole: SourceSpan,
    /// The keys that were not read yet: the name, the key and its value.
    left: BTreeMap<&'t str, &'t (Node, Node)>,
    known: Vec<&'static str>,
    /// The position of each value that was read.
    positions: BTreeMap<&'static str, SourceSpan>,
    missing: Vec<&'static Key>,
}

impl<'c, 't> Keys<'c, 't> {
    /// The keys of `map`. Reports each key that is there twice.
    pub(super) fn of(check: &'c mut Check<'t>, map: &'t Node, map_kind: MapKind) -> Option<Self> {
        let Value::Map(entries) = &map.value else {
            return check.expected(&map_kind.kind(), map, "write its keys and values: { \"key\": value, … }");
        };
        let mut left: BTreeMap<&str, &(Node, Node)> = BTreeMap::new();
        for entry in entries {
            let name = check.name(&entry.0);
            match left.get(name) {
                Some((first, _)) => check.duplicate(name, first, &entry.0),
                None => drop(left.insert(name, entry)),
            }
        }
        Some(Self { left, ..Self::none(check, map.place.written, map_kind) })
    }

    /// The keys of a map that is not there, but would be at `whole`.
    pub(super) fn none(check: &'c mut Check<'t>, whole: SourceSpan, map_kind: MapKind) -> Self {
        let (left, positions) = (BTreeMap::new(), BTreeMap::new());
        Self { check, map_kind, whole, left, known: Vec::new(), positions, missing: Vec::new() }
    }

    /// The value of a key as it is declared, or its default.
    pub(super) fn read<T: Written>(&mut self, key: &'static Key) -> Option<T> {
        let default = match key.presence {
            Presence::Optional(default) => T::read(default()).ok(),
            Presence::Required(_) | Presence::Otherwise(_) => None,
        };
        self.read_with(key, Check::value, default)
    }

    /// The value of a key as `read` parses it, or `default` if the map doesn't have the key.
    pub(super) fn read_with<T>(
        &mut self,
        key: &'static Key,
        read: impl FnOnce(&mut Check<'t>, &'t Node) -> Option<T>,
        default: impl Into<Option<T>>,
    ) -> Option<T> {
        self.known.push(key.name);
        let Some((_, value)) = self.left.remove(key.name) else {
            self.missing.extend(matches!(key.presence, Presence::Required(_)).then_some(key));
            return default.into();
        };
        self.positions.insert(key.name, value.place.written);
        read(self.check, value)
    }

    /// The value of a key as `read` parses it. If the map doesn't have the key, reports `missing` at the map.
    pub(super) fn read_or_report<T>(
        &mut self,
        key: &'static Key,
        read: impl FnOnce(&mut Check<'t>, &'t Node) -> Option<T>,
        missing: impl FnOnce(SourceSpan) -> Problem,
    ) -> Option<T> {
        if !self.left.contains_key(key.name) {
            self.report(missing(self.whole));
        }
        self.read_with(key, read, None)
    }

    /// The check that these keys belong to.
    pub(super) fn check(&mut self) -> &mut Check<'t> {
        self.check
    }

    /// The value of a key that changes an existing value, `present`. A default plays no part.
    pub(super) fn read_over<T: Written>(&mut self, key: &'static Key, present: Option<T>) -> Option<T> {
        if self.left.contains_key(key.name) {
            return self.read(key);
        }
        self.known.push(key.name);
        present
    }

    /// Takes the entries of these keys out, unread, in the order in which they are declared.
    pub(super) fn take(&mut self, keys: &[Key]) -> Vec<&'t (Node, Node)> {
        keys.iter().filter_map(|key| self.left.remove(key.name)).collect()
    }

    /// Adds entries, unless the map has the same keys.
    pub(super) fn adopt(&mut self, entries: Vec<&'t (Node, Node)>) {
        for entry in entries {
            self.left.entry(self.check.name(&entry.0)).or_insert(entry);
        }
    }

    /// The position of the value of `key`, or of the map if it has none.
    pub(super) fn position(&self, key: &str) -> SourceSpan {
        self.positions.get(key).copied().unwrap_or(self.whole)
    }

    /// Reports a problem of several keys.
    pub(super) fn report(&mut self, problem: Problem) {
        self.check.problems.push(problem);
    }

    /// Reports unknown keys and missing ones. A missing key that an unknown one was probably meant to be is not
    /// reported.
    pub(super) fn finish(self) {
        let Self { check, map_kind, whole, left, known, mut missing, .. } = self;
        for (name, (key, _)) in left {
            let meant = synonym(name, &known).or_else(|| nearest(name, &known));
            missing.retain(|key| Some(key.name) != meant);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => map_kind.all(&known),
            };
            check.problems.push(Problem::at(key.place.written, map_kind.unknown(short(name)), hint));
        }
        for key in missing {
            let hint = map_kind.addition(key.name, &key.advice());
            check.problems.push(Problem::at(whole, map_kind.lacks(key.name), hint));
        }
    }
}

impl<'t> Check<'t> {
    /// The name of a key. One that is not text is unknown, and named as it was written.
    pub(super) fn name<'n>(&self, key: &'n Node) -> &'n str
    where
        't: 'n,
    {
        match &key.value {
            Value::Text(name) => name,
            _ => self.written(key),
        }
    }

    fn duplicate(&mut self, name: &str, first: &Node, again: &Node) {
        let problem =
            Problem::at(again.place.used, format!("the key `{}` is here twice", short(name)), "remove one of the two");
        self.problems.push(problem.also(first.place.used, "first written here"));
    }
}
