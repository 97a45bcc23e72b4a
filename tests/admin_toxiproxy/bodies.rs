//! Properties of any body: each gets an answer in JSON, and none breaks the server.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::server::Toxiproxy;

const KEYS: &[&str] = &[
    "name",
    "Listen",
    "upstream",
    "enabled",
    "toxics",
    "type",
    "stream",
    "toxicity",
    "attributes",
    "latency",
    "rate",
    "connections",
    "clients",
    "after",
    "for",
    "average_size",
];

const TEXTS: &[&str] = &["", "db", "latency", "slicer", "upstream", "both", "127.0.0.1:0", "localhost:1", "::", "1-2"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 6, |inner| {
        let entry = (prop::sample::select(KEYS), inner.clone());
        let object = prop::collection::vec(entry, 0..6).prop_map(|entries| {
            Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
        });
        prop_oneof![2 => object, 1 => prop::collection::vec(inner, 0..3).prop_map(Value::from)]
    })
}

const REQUESTS: &[(&str, &str)] = &[
    ("POST", "/proxies"),
    ("POST", "/populate"),
    ("PATCH", "/proxies/off"),
    ("POST", "/proxies/off/toxics"),
    ("PATCH", "/proxies/off/toxics/t"),
];

/// Nothing may listen, lest other tests lose their ports.
fn disabled(body: Value) -> Value {
    match body {
        Value::Array(proxies) => proxies.into_iter().map(disabled).collect(),
        Value::Object(mut fields) => {
            fields.insert("enabled".to_owned(), json!(false));
            Value::Object(fields)
        }
        other => other,
    }
}

#[test]
fn every_body_gets_an_answer() {
    let server = Toxiproxy::new();
    let off =
        r#"{"name":"off","listen":"IP:1","upstream":"IP:2","enabled":false,"toxics":[{"type":"latency","name":"t"}]}"#;
    server.expect(201, "POST", "/proxies", off);
    proptest!(ProptestConfig::with_cases(300), |(body in value(), cut in any::<prop::sample::Index>())| {
        let text = disabled(body).to_string();
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end)).collect::<Vec<_>>();
        for (method, path) in REQUESTS {
            for body in [&text, &text[..*cut.get(&ends)]] {
                let answer = server.send(method, path, body);
                let is_json = serde_json::from_slice::<Value>(&answer.body).is_ok();
                prop_assert!(is_json && [200, 201, 400, 409, 500].contains(&answer.status), "{} {body}: {answer:?}", path);
            }
        }
    });
}
