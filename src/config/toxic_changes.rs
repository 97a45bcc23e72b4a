//! A change of a live toxic as an argument, `KEY=VALUE,KEY=VALUE`, and the JSON that the admin server takes for it.

use serde_json::{Map, Value};

use super::document::{self, Node, argument};
use super::problem::{Problem, SourceSpan};
use crate::spelling::nearest;
use crate::toxic::TYPES;
use crate::toxic::keys::{AFTER, ATTRIBUTES, CLIENTS, CONNECTIONS, DESTINATIONS, FOR, OFFSETS, TOXICITY};
use crate::value::Key;

/// The keys of a toxic that can change, apart from its attributes. The others decide what the toxic is.
pub const CHANGEABLE_KEYS: [Key; 7] = [TOXICITY, CONNECTIONS, CLIENTS, DESTINATIONS, AFTER, FOR, OFFSETS];

const EXAMPLE: &str = "write KEY=VALUE,KEY=VALUE, such as latency=100,jitter=20";

/// The change at `span` of `text`.
pub(super) fn read(text: &str, span: SourceSpan) -> Result<Map<String, Value>, Vec<Problem>> {
    let given =
        argument::values(text, span).map_err(|problem| vec![Problem { hint: EXAMPLE.to_owned(), ..problem }])?;
    if given.is_empty() {
        return Err(vec![Problem::at(span, "nothing changes", EXAMPLE)]);
    }
    let problems: Vec<Problem> = given.iter().enumerate().filter_map(|(at, it)| problem(&given[..at], &it.0)).collect();
    if problems.is_empty() { Ok(change(given)) } else { Err(problems) }
}

/// What is wrong with a key that comes after those of `before`.
fn problem(before: &[(Node, Node)], key: &Node) -> Option<Problem> {
    let name = name(key);
    let (what, hint) = if before.iter().any(|(other, _)| other.value == key.value) {
        (format!("`{name}` is given twice"), "remove one of them".to_owned())
    } else if argument::is_key_of_toxics(key) && changeable().all(|key| key != name) {
        let hint = "remove the toxic and add another one: `toxic remove`, then `toxic add`";
        (format!("the {name} of a toxic can't change"), hint.to_owned())
    } else if known().all(|known| known != name) {
        let hint = nearest(name, &known().collect::<Vec<_>>());
        let hint = hint.map_or_else(
            || format!("use {}, or an attribute", changeable().collect::<Vec<_>>().join(", ")),
            suggestion,
        );
        (format!("no toxic has a key `{name}`"), hint)
    } else {
        return None;
    };
    Some(Problem::at(key.place.written, what, hint))
}

fn suggestion(known: &str) -> String {
    format!("did you mean `{known}`?")
}

/// The keys that can change, and the attributes of every type.
fn known() -> impl Iterator<Item = &'static str> {
    let attributes = TYPES.iter().flat_map(|toxic_type| toxic_type.attributes).map(|attribute| attribute.name);
    changeable().chain(attributes)
}

fn changeable() -> impl Iterator<Item = &'static str> {
    CHANGEABLE_KEYS.iter().map(|key| key.name)
}

fn change(given: Vec<(Node, Node)>) -> Map<String, Value> {
    let (keys, attributes): (Vec<_>, Vec<_>) = given.into_iter().partition(|(key, _)| argument::is_key_of_toxics(key));
    let mut change = object(&keys);
    if !attributes.is_empty() {
        change.insert(ATTRIBUTES.name.to_owned(), Value::Object(object(&attributes)));
    }
    change
}

fn object(entries: &[(Node, Node)]) -> Map<String, Value> {
    entries.iter().map(|(key, value)| (name(key).to_owned(), json(value))).collect()
}

fn name(key: &Node) -> &str {
    if let document::Value::Text(name) = &key.value { name } else { "" }
}

/// An argument has texts, lists of texts, numbers and booleans. A number that JSON doesn't have stays text, for the
/// server to reject: as null, it would not be there at all.
fn json(node: &Node) -> Value {
    if let document::Value::List(elements) = &node.value {
        return elements.iter().map(json).collect();
    }
    let scalar = node.scalar();
    let value = serde_json::to_value(&scalar).unwrap_or_default();
    if value.is_null() { scalar.map(|scalar| scalar.to_string()).into() } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::parse_toxic_changes;
    use serde_json::json;

    fn changed(changes: &str) -> String {
        match parse_toxic_changes("toxic update web lag", changes) {
            Ok(change) => serde_json::to_string(&change).expect("JSON"),
            Err(report) => report.to_string(),
        }
    }

    #[test]
    fn attributes_are_nested_and_other_keys_are_not() {
        for (changes, expected) in [
            ("latency=100,jitter=20", json!({ "attributes": { "jitter": 20, "latency": 100 } })),
            ("toxicity=0.5", json!({ "toxicity": 0.5 })),
            ("connections=1-2,5,reset=true", json!({ "attributes": { "reset": true }, "connections": "1-2,5" })),
            ("clients=10.0.0.0/8,::1", json!({ "clients": ["10.0.0.0/8", "::1"] })),
            ("latency=nan", json!({ "attributes": { "latency": "NaN" } })),
            ("latency=1e3,jitter=100ms", json!({ "attributes": { "jitter": "100ms", "latency": 1000.0 } })),
        ] {
            assert_eq!(changed(changes), expected.to_string(), "{changes}");
        }
        let huge = "9".repeat(30);
        assert_eq!(changed(&format!("rate={huge}")), json!({ "attributes": { "rate": huge } }).to_string());
    }

    #[test]
    fn reports_keys_that_can_not_change() {
        for (changes, expected) in [
            ("latncy=5", "did you mean `latency`?"),
            ("colour=5", "use toxicity, connections, clients, destinations, after, for, offsets, or an attribute"),
            ("stream=both", "the stream of a toxic can't change"),
            ("jitter=1,jitter=2", "`jitter` is given twice"),
            ("jitter", "write KEY=VALUE,KEY=VALUE, such as latency=100,jitter=20"),
            ("", "nothing changes"),
        ] {
            assert!(changed(changes).contains(expected), "{}", changed(changes));
        }
    }
}
