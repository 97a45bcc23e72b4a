//! The keys of one map: read one by one, each at most once; what nobody asked for is unknown. What a map is called in
//! messages is here too.

use std::collections::BTreeMap;

use super::Check;
use super::values::short;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::Rejected;

/// What messages call a map and what is in it.
#[derive(Clone, Copy)]
pub(super) enum MapKind {
    /// What has keys.
    A(&'static str),
    /// What a toxic of that type is told.
    AttributesOf(&'static str),
}

impl MapKind {
    fn kind(self) -> String {
        match self {
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
            Self::AttributesOf(_) => format!("add `{key}` to its `attributes`: {meaning}"),
        }
    }
}

pub(super) struct Keys<'c, 't> {
    check: &'c mut Check<'t>,
    map_kind: MapKind,
    /// Where a key that is missing would have to be.
    whole: SourceSpan,
    /// What has not been asked for yet: each key's name, the key and its value.
    left: BTreeMap<&'t str, &'t (Node, Node)>,
    known: Vec<&'static str>,
    /// Where each value that was asked for was written.
    positions: BTreeMap<&'static str, SourceSpan>,
    missing: Vec<(&'static str, &'static str)>,
}

impl<'c, 't> Keys<'c, 't> {
    /// The keys of `map`. Each that is there twice is reported.
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

    /// What `read` makes of the value of `key`, or `default` where the map doesn't have it.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Check<'t>, &'t Node) -> Option<T>,
        default: impl Into<Option<T>>,
    ) -> Option<T> {
        self.known.push(key);
        match self.left.remove(key) {
            Some((_, value)) => {
                self.positions.insert(key, value.place.written);
                read(self.check, value)
            }
            None => default.into(),
        }
    }

    /// What `read` makes of the value of `key`, which is `meaning`.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        meaning: &'static str,
        read: impl FnOnce(&mut Check<'t>, &'t Node) -> Option<T>,
    ) -> Option<T> {
        if !self.left.contains_key(key) {
            self.missing.push((key, meaning));
        }
        self.optional(key, read, None)
    }

    /// Where the value of `key` was written, or the map that has none.
    pub(super) fn position(&self, key: &str) -> SourceSpan {
        self.positions.get(key).copied().unwrap_or(self.whole)
    }

    /// What several values make together; if they don't, it is the value of `key` that has to change.
    pub(super) fn join<T>(&mut self, key: &str, made: Result<T, Rejected>) -> Option<T> {
        let position = self.position(key);
        made.map_err(|reason| self.check.problems.push(Problem::rejected(position, reason))).ok()
    }

    /// Reports the keys that nobody asked for and those that are missing, unless the former were meant to be the latter.
    pub(super) fn finish(self) {
        let Self { check, map_kind, whole, left, known, mut missing, .. } = self;
        for (name, (key, _)) in left {
            let meant = nearest(name, &known);
            missing.retain(|&(key, _)| Some(key) != meant);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => map_kind.all(&known),
            };
            check.problems.push(Problem::at(key.place.written, map_kind.unknown(short(name)), hint));
        }
        for (key, meaning) in missing {
            check.problems.push(Problem::at(whole, map_kind.lacks(key), map_kind.addition(key, meaning)));
        }
    }
}

impl<'t> Check<'t> {
    /// A key that is not text is called by how it was written: none of ours is.
    fn name(&self, key: &'t Node) -> &'t str {
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

/// The word that was meant, if one is near: the same but for case, `_` and `-`, or at most a third of its letters wrong.
pub(super) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let bare = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    // No more of it than any key has with its misspellings: the distance takes the product of both lengths.
    let name = bare(&name.chars().take(64).collect::<String>());
    let distances = known.iter().map(|&key| (strsim::damerau_levenshtein(&name, &bare(key)), key));
    distances.filter(|&(distance, key)| distance <= key.len() / 3).min().map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_key_is_named_and_a_far_one_is_not() {
        const KNOWN: [&str; 4] = ["localPort", "latencyMs", "dropRate", "bind"];
        for (name, meant) in [
            ("localport", Some("localPort")),
            ("local_port", Some("localPort")),
            ("DROP-RATE", Some("dropRate")),
            ("dropRat", Some("dropRate")),
            ("latency", Some("latencyMs")),
            ("bnid", Some("bind")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &KNOWN), meant, "{name}");
        }
    }
}
