//! The config as a tree of values, each with its position in the text. JSON and YAML give the same tree.
//!
//! This module checks only syntax, depth and size, and keeps duplicate and unknown keys. `check` interprets the values.

pub(super) mod argument;
mod json;
mod json_syntax;
#[cfg(feature = "yaml")]
mod yaml;

use std::path::Path;

use super::problem::{Problem, SourceSpan};
use crate::value::Scalar;

/// Deep enough for every config: file, routes, route, toxics, toxic and attributes are 6 levels. Shallow enough for
/// small stacks: for YAML of this depth a debug build takes 400 KiB and a release build 100 KiB. It also bounds the
/// time for JSON, whose text is read once per level.
const MAX_DEPTH: usize = 8;

/// A route on every port with every key except toxics has 65,535 * (1 + 2 * 9) = 1,245,165 values, keys included. That
/// leaves 11 values per route for toxics. At about 100 bytes per value, the tree of a 16 MiB file takes at most
/// 200 MB.
const MAX_VALUES: usize = 2_000_000;

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Where a value is. The two spans differ for a value that comes from a YAML alias or merge key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it is written: the span to report if the value itself is invalid.
    pub(super) written: SourceSpan,
    /// Where it is used: the span to report if the value is invalid only there.
    pub(super) used: SourceSpan,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// Entries in file order, duplicates included. Keys of JSON are text, keys of YAML may be any value.
    Map(Vec<(Node, Node)>),
}

/// A number. The spelling decides the variant: `1.0` and `1e3` are real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    /// Includes integers of more than 64 bits, which are out of range for every key.
    Real(f64),
}

/// The syntax of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// JSON as in RFC 8259: no comments, no trailing commas.
    Json,
    /// YAML 1.2 with anchors, aliases and merge keys. Needs the cargo feature `yaml`.
    Yaml,
}

impl Syntax {
    /// The syntax of a file: YAML if it is named `.yaml` or `.yml`, JSON if it is named `.json`. With any
    /// other name the text decides: a config in JSON begins with a bracket.
    #[must_use]
    pub fn of(path: &Path, text: &str) -> Self {
        let is_named = |ending| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
        if is_named("json") {
            Self::Json
        } else if is_named("yaml") || is_named("yml") {
            Self::Yaml
        } else if text.trim_start_matches('\u{feff}').trim_start().starts_with(['[', '{']) {
            Self::Json
        } else {
            Self::Yaml
        }
    }

    /// Parses `text` into a tree, or reports its first syntax error.
    pub(super) fn read(self, text: &str) -> Result<Node, Problem> {
        match self {
            Self::Json => json::read(text),
            #[cfg(feature = "yaml")]
            Self::Yaml => yaml::read(text),
            #[cfg(not(feature = "yaml"))]
            Self::Yaml => Err(Problem::of_file(
                "this build reads no YAML",
                "write JSON, or build with `cargo build --features yaml`",
            )),
        }
    }
}

impl Node {
    /// The value of the first entry named `name`, if this is a map that has one.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name)).map(|(_, value)| value)
    }

    /// The value, unless it is a list, a map or null.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        match &self.value {
            Value::Number(Number::Whole(number)) => Some(Scalar::Whole(*number)),
            Value::Number(Number::Real(number)) => Some(Scalar::Real(*number)),
            Value::Text(text) => Some(Scalar::Text(text.clone())),
            Value::Bool(flag) => Some(Scalar::Flag(*flag)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The kind of value, as printed in "expected …, found …".
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing (null)",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }
}

fn too_many(at: SourceSpan) -> Problem {
    let what = format!("this file has more than {MAX_VALUES} values");
    Problem::at(at, what, "split it up; there are only 65535 ports to listen on")
}

fn too_deep(at: SourceSpan) -> Problem {
    Problem::at(
        at,
        format!("this is nested more than {MAX_DEPTH} levels deep"),
        "a config is a list of routes, each with a list of toxics",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_decides_its_syntax_or_else_its_text() {
        for (path, text, expected) in [
            ("a.json", "- localPort: 1", Syntax::Json),
            ("a.YML", "[]", Syntax::Yaml),
            ("-", "\u{feff}\n [", Syntax::Json),
            ("/dev/fd/63", "{ \"routes\": [] }", Syntax::Json),
            ("chaos.conf", "# routes\n- localPort: 1", Syntax::Yaml),
            ("chaos", "", Syntax::Yaml),
        ] {
            assert_eq!(Syntax::of(Path::new(path), text), expected, "{path} {text}");
        }
    }

    #[cfg(not(feature = "yaml"))]
    #[test]
    fn build_without_yaml_suggests_the_feature() {
        let problem = Syntax::Yaml.read("- localPort: 8180").expect_err("YAML is not built in");
        assert!(problem.hint().contains("--features yaml"), "{problem:?}");
    }
}
