//! Reads bodies as Toxiproxy does: the first JSON value counts, keys have no case, and `null` counts as absent.

use serde_json::{Deserializer, Map, Value};

use super::error::ToxiproxyError;

/// The first JSON value of a body.
pub fn parse(body: &[u8]) -> Result<Value, ToxiproxyError> {
    match Deserializer::from_slice(body).into_iter().next() {
        Some(value) => value.map_err(|error| ToxiproxyError::BadBody(format!("{error}; write JSON"))),
        None => Err(ToxiproxyError::BadBody("EOF".to_owned())),
    }
}

/// The elements of a list. `null` is an empty one.
pub fn list(what: &str, value: Value) -> Result<Vec<Value>, ToxiproxyError> {
    match value {
        Value::Array(elements) => Ok(elements),
        Value::Null => Ok(Vec::new()),
        other => Err(mismatch(what, &other, "a list")),
    }
}

/// The fields of an object, with names in lower case and without those that are `null`.
#[derive(Clone, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a body.
    pub fn of_body(body: &[u8]) -> Result<Self, ToxiproxyError> {
        Self::of("the body", parse(body)?)
    }

    /// The fields of an object. `null` has none.
    pub fn of(what: &str, value: Value) -> Result<Self, ToxiproxyError> {
        let entries = match value {
            Value::Object(entries) => entries,
            Value::Null => Map::new(),
            other => return Err(mismatch(what, &other, "an object")),
        };
        let given = entries.into_iter().filter(|(_, value)| !value.is_null());
        Ok(Self(given.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, ToxiproxyError> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| mismatch(name, value, "text"))).transpose()
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ToxiproxyError> {
        self.get(name).map(|value| value.as_bool().ok_or_else(|| mismatch(name, value, "true or false"))).transpose()
    }
}

fn mismatch(what: &str, found: &Value, wanted: &str) -> ToxiproxyError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ToxiproxyError::BadBody(format!("{what} is {found}; write {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn error(result: Result<impl std::fmt::Debug, ToxiproxyError>) -> String {
        result.expect_err("it is invalid").text()
    }

    #[test]
    fn the_first_value_counts() {
        for body in ["{\"Name\": \"a\"} trailing", "{\"NAME\":\"a\"}{}", " {\"name\":\"a\",\"x\":null}"] {
            let fields = Fields::of_body(body.as_bytes()).expect(body);
            assert_eq!(fields.text("name").expect("text"), Some("a"), "{body}");
            assert_eq!(fields.flag("x").expect("absent"), None, "{body}");
        }
        assert!(Fields::of_body(b"null").expect("no fields").0.is_empty());
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(error(parse(b"")), "bad request body: EOF");
        assert_eq!(error(parse(b" \n")), "bad request body: EOF");
        assert_eq!(error(Fields::of_body(b"[]")), "bad request body: the body is a list; write an object");
        assert_eq!(error(list("the body", Value::from(1))), "bad request body: the body is a number; write a list");
        let fields = Fields::of_body(b"{\"name\": 1, \"enabled\": \"yes\"}").expect("an object");
        assert_eq!(error(fields.text("name")), "bad request body: name is a number; write text");
        assert_eq!(error(fields.flag("enabled")), "bad request body: enabled is text; write true or false");
        assert!(error(parse(b"{")).starts_with("bad request body: EOF while parsing"));
    }
}
