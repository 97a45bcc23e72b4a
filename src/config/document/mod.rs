//! The file as it was written: one tree, whether the text is JSON or YAML, in which each value knows where it stands.
//!
//! Nothing is judged here but syntax, depth and size: duplicate keys are kept, unknown keys too. What the values mean
//! is for `check` to say.

mod json;
mod json_syntax;
#[cfg(feature = "yaml")]
mod yaml;

use std::path::Path;

use super::problem::{Problem, SourceSpan};

/// Deep enough for every config: a file, its routes, a route, its toxics, a toxic and its attributes are 6. Shallow enough for small
/// stacks: a debug build takes 400 KiB for YAML of this depth, a release build 100 KiB. JSON's text is read once for
/// each level.
const MAX_DEPTH: usize = 8;

/// A route on every port with every key but toxics are 65,535 * (1 + 2 * 9) = 1,245,165 values, keys included; each of
/// them may still have a toxic of five. At some 100 bytes each, this bounds the tree of a 16 MiB file to 200 MB.
const MAX_VALUES: usize = 2_000_000;

/// A value of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Where a value stands. The two differ for what came through a YAML alias or merge key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it was written: what to correct, if the value itself is wrong.
    pub(super) written: SourceSpan,
    /// Where it is used: what to correct, if it is only wrong there.
    pub(super) used: SourceSpan,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, duplicates included. JSON's keys are text, YAML's may be anything.
    Map(Vec<(Node, Node)>),
}

/// A number by how it was written: `1.0` and `1e3` are real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    /// Also an integer of more than 64 bits, in which case it is out of every range.
    Real(f64),
}

/// The languages that a config can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// RFC 8259, by the letter: no comments, no trailing commas.
    Json,
    /// YAML 1.2 with anchors, aliases and merge keys. Needs the cargo feature `yaml`.
    Yaml,
}

impl Syntax {
    /// The language of a file by its name: YAML for `.yaml` and `.yml`, JSON for everything else.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let yaml = path.extension().is_some_and(|is| is.eq_ignore_ascii_case("yaml") || is.eq_ignore_ascii_case("yml"));
        if yaml { Self::Yaml } else { Self::Json }
    }

    /// Reads `text` whole, or finds where its syntax ends to make sense.
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
    /// What a map says about `name`, in its first entry of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name)).map(|(_, value)| value)
    }

    /// What kind of value it is, as in "expected …, found …".
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

#[cfg(all(test, not(feature = "yaml")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_yaml_says_how_to_get_one_with_it() {
        let problem = Syntax::Yaml.read("- localPort: 8180").expect_err("YAML is not built in");
        assert!(problem.hint().contains("--features yaml"), "{problem:?}");
    }
}
