//! The JSON Schema that `--schema` prints: it accepts every valid config and rejects the mistakes that it can know. The
//! checker here knows the few words of JSON Schema that ours is written in, and panics at any other.

use std::fs;
use std::path::Path;
use std::process::Command;

use chaos_proxy::config::schema;
use serde_json::{Map, Value};

use super::files;

/// What only the config check finds: forms of text, conflicts, keys that are there twice. A whole number may be written
/// as `8180.0` in JSON Schema.
const ONLY_CHECKED: &[&str] = &[
    "bad_admin.json",
    "bad_bind.json",
    "control_characters.json",
    "duplicate_key.json",
    "duplicate_names.json",
    "duplicate_ports.json",
    "duplicate_toxics.json",
    "float_port.json",
    "invalid_upstream_hostname.json",
    "loop.json",
    "name_of_a_port.json",
    "own_upstream.json",
    "port_of_the_admin_server.json",
    "scenario_order.json",
    "scenario_ports.json",
    "scenario_ramps.json",
    "scenario_repeat.json",
    "toxic_of_a_profile.json",
    "upstream_bad_port.json",
    "upstream_ipv6_without_brackets.json",
    "upstream_url.json",
    "upstream_without_port.json",
];

#[test]
fn the_schema_accepts_every_valid_config() {
    for path in files("configs/valid") {
        let config = parsed(&path).unwrap();
        assert!(accepts(&config), "{path:?}");
    }
}

#[test]
fn the_schema_rejects_the_mistakes_that_it_can_know() {
    let invalid = files("configs/invalid").into_iter().filter(|path| path.extension().unwrap() == "json");
    let accepted = invalid.filter(|path| parsed(path).is_some_and(|config| accepts(&config)));
    let names: Vec<String> = accepted.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ONLY_CHECKED);
}

#[test]
fn the_binary_prints_the_schema() {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).arg("--schema").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), schema());
}

/// The config as JSON, unless its syntax is broken. Schemas know no anchors; the parser resolves them.
fn parsed(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    match path.extension()?.to_str()? {
        "yaml" => serde_saphyr::from_str(&text).ok(),
        _ => serde_json::from_str(&text).ok(),
    }
}

fn accepts(config: &Value) -> bool {
    let root: Value = serde_json::from_str(&schema()).unwrap();
    Schema { root: &root }.matches(&root, config)
}

struct Schema<'s> {
    root: &'s Value,
}

impl Schema<'_> {
    fn matches(&self, schema: &Value, value: &Value) -> bool {
        let words = schema.as_object().unwrap();
        words.iter().all(|(word, argument)| self.holds(word, argument, words, value))
    }

    /// What a word of a schema asks of a value. Those about objects, lists, texts and numbers accept all other values.
    fn holds(&self, word: &str, argument: &Value, words: &Map<String, Value>, value: &Value) -> bool {
        let list = || argument.as_array().unwrap();
        match word {
            "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "then" => true,
            "$ref" => self.matches(self.root.pointer(&argument.as_str().unwrap()[1..]).unwrap(), value),
            "anyOf" => list().iter().any(|schema| self.matches(schema, value)),
            "allOf" => list().iter().all(|schema| self.matches(schema, value)),
            "if" => !self.matches(argument, value) || self.matches(&words["then"], value),
            "const" => value == argument,
            "enum" => list().contains(value),
            "type" => is_of_type(argument.as_str().unwrap(), value),
            "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= argument.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= argument.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= argument.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap()),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.matches(argument, item))),
            "required" => {
                value.as_object().is_none_or(|map| list().iter().all(|key| map.contains_key(key.as_str().unwrap())))
            }
            "properties" => value.as_object().is_none_or(|map| {
                let known = map.iter().filter_map(|(key, value)| Some((argument.get(key)?, value)));
                known.into_iter().all(|(schema, value)| self.matches(schema, value))
            }),
            "additionalProperties" => {
                let known = |key| words.get("properties").is_some_and(|properties| properties.get(key).is_some());
                let is_allowed = |value| argument.is_object() && self.matches(argument, value);
                value.as_object().is_none_or(|map| map.iter().all(|(key, value)| known(key) || is_allowed(value)))
            }
            other => panic!("the checker does not know `{other}`"),
        }
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the checker does not know the type `{other}`"),
    }
}
