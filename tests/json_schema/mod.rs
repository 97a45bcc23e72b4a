//! Checks a value against a JSON Schema. Knows the few words that the schemas of this project are written in, and
//! panics at any other.

use serde_json::{Map, Value};

/// Whether `schema` accepts `value`.
pub fn accepts(schema: &Value, value: &Value) -> bool {
    Schema { root: schema }.matches(schema, value)
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
            "type" => match argument {
                Value::Array(names) => names.iter().any(|name| is_of_type(name.as_str().unwrap(), value)),
                name => is_of_type(name.as_str().unwrap(), value),
            },
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
                let is_known = |key: &String| words.get("properties").is_some_and(|known| known.get(key).is_some());
                let fits = |value| argument.is_object() && self.matches(argument, value);
                value.as_object().is_none_or(|map| map.iter().all(|(key, value)| is_known(key) || fits(value)))
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
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the checker does not know the type `{other}`"),
    }
}
