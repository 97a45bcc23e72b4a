//! The JSON Schema (draft 2020-12) of config files, written from the declarations of their keys. Editors complete and
//! check with it. It does not know what only the check does: forms of text, attributes that have to fit each other,
//! routes that conflict.

use serde_json::{Map, Value, json};

use crate::plan::scenario::ORIGINAL;
use crate::plan::{METRICS, keys};
use crate::toxic::keys::{ATTRIBUTES, CONTAINS, CONTAINS_HEX, MESSAGE, TOXIC, TRIGGER, TYPE, WHEN};
use crate::toxic::{TYPES, ToxicType};
use crate::value::{Bounds, Key, Kind, Presence, Unit};

/// No text of a config may have more characters.
const LONGEST_TEXT: usize = 100;

/// The JSON Schema of config files, as JSON.
#[must_use]
pub fn schema() -> String {
    let mut definitions: Map<String, Value> = TYPES.iter().map(|it| (attributes_of(it), attributes(it))).collect();
    definitions.insert("toxic".to_owned(), toxic());
    definitions.insert("route".to_owned(), json!({ "anyOf": [route(keys::ROUTE), route(keys::TOXIPROXY_ROUTE)] }));
    definitions.insert("expectation".to_owned(), expectation());
    definitions.insert("routes".to_owned(), list_of("route", 1));
    definitions.insert("step".to_owned(), step());
    definitions.insert("settings".to_owned(), settings());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Config file of chaos-proxy",
        "anyOf": [reference("routes"), file()],
        "$defs": definitions,
    });
    format!("{schema:#}\n")
}

fn route(keys: &[Key]) -> Value {
    object(keys, &[(&keys::TOXICS, list_of("toxic", 0))])
}

/// With an admin server, routes may be added later.
fn file() -> Value {
    let nested = [
        (&keys::ROUTES, list_of("route", 0)),
        (&keys::SCENARIO, scenario()),
        (&keys::EXPECT, list_of("expectation", 0)),
    ];
    let mut file = object(keys::FILE, &nested);
    let (admin, routes) = (keys::ADMIN.name, keys::ROUTES.name);
    file["anyOf"] = json!([{ "required": [admin] }, { "properties": { routes: { "minItems": 1 } } }]);
    file
}

fn scenario() -> Value {
    let repeated = object(keys::SCENARIO_OBJECT, &[(&keys::STEPS, list_of("step", 1))]);
    json!({ "anyOf": [list_of("step", 1), repeated] })
}

/// That a step has only one of its actions is left to the check.
fn step() -> Value {
    let set = json!({ "anyOf": [{ "const": ORIGINAL }, reference("settings")] });
    let always = || json!({ "const": true });
    let mut step = object(keys::STEP, &[(&keys::SET, set), (&keys::DOWN, always()), (&keys::UP, always())]);
    let actions = [keys::SET, keys::DOWN, keys::UP, keys::CUT];
    step["anyOf"] = actions.iter().map(|key| json!({ "required": [key.name] })).collect();
    step
}

/// What is left out stays as it is. The attributes depend on the types of a route's toxics, which only the check knows.
fn settings() -> Value {
    let toxics = json!({ "type": "object", "additionalProperties": { "type": "object" } });
    let mut settings = object(keys::SETTABLE, &[(&keys::SET_TOXICS, toxics)]);
    for key in keys::SETTABLE {
        if let Some(property) = settings["properties"][key.name].as_object_mut() {
            property.remove("default");
        }
    }
    settings
}

fn expectation() -> Value {
    let comparison = || json!({ "anyOf": [{ "type": "number", "minimum": 0 }, scalar(Kind::Text)] });
    let nested: Vec<(&Key, Value)> = METRICS.iter().map(|(key, _)| (key, comparison())).collect();
    object(&keys::expectation(), &nested)
}

/// Every toxic has the same keys; which attributes it has depends on its type.
fn toxic() -> Value {
    let of_type = |it: &&ToxicType| {
        let required = attributes(it).get("required").map(|_| ATTRIBUTES.name);
        json!({
            "if": { "properties": { TYPE.name: { "const": it.name } } },
            "then": {
                "properties": { ATTRIBUTES.name: reference(&attributes_of(it)) },
                "required": required.into_iter().collect::<Vec<_>>(),
            },
        })
    };
    let mut toxic = object(TOXIC, &[(&ATTRIBUTES, json!({ "type": "object" }))]);
    toxic["properties"][WHEN.name] = trigger();
    toxic["allOf"] = TYPES.iter().map(of_type).collect();
    toxic
}

/// That a trigger waits for one thing is left to the check.
fn trigger() -> Value {
    let message = json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, scalar(Kind::Text)] });
    let mut trigger = object(TRIGGER, &[(&MESSAGE, message)]);
    trigger["anyOf"] = [CONTAINS, CONTAINS_HEX, MESSAGE].iter().map(|key| json!({ "required": [key.name] })).collect();
    described(&WHEN, trigger)
}

/// The name of the definition of its attributes.
fn attributes_of(toxic_type: &ToxicType) -> String {
    format!("{}_attributes", toxic_type.name)
}

fn attributes(toxic_type: &ToxicType) -> Value {
    let mut attributes = object(toxic_type.attributes, &[]);
    attributes["description"] = json!(toxic_type.about());
    attributes
}

/// An object of these keys; `nested` has what a value is that is no scalar.
fn object(keys: &[Key], nested: &[(&Key, Value)]) -> Value {
    let nested = |key: &Key| nested.iter().find(|(it, _)| it.name == key.name).map(|(_, value)| value.clone());
    let property = |key: &Key| (key.name.to_owned(), described(key, nested(key).unwrap_or_else(|| scalar(key.kind))));
    let is_required = |key: &&Key| matches!(key.presence, Presence::Required(_));
    let required: Vec<&str> = keys.iter().filter(is_required).map(|key| key.name).collect();
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn described(key: &Key, mut value: Value) -> Value {
    let unit = match key.kind.unit() {
        Unit::None => String::new(),
        unit => format!(" In {}.", unit.explained()),
    };
    value["description"] = json!(format!("{}{unit}", key.about()));
    match key.presence {
        Presence::Required(Some(example)) => value["examples"] = json!([example()]),
        Presence::Optional(default) => value["default"] = json!(default()),
        Presence::Required(None) | Presence::Otherwise(_) => {}
    }
    value
}

fn scalar(kind: Kind) -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": LONGEST_TEXT });
    match kind {
        Kind::Whole(Bounds { least, most, .. }) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::WholeOr(bounds, word) => json!({ "anyOf": [scalar(Kind::Whole(bounds)), { "const": word }] }),
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Text => text,
        Kind::Texts => json!({ "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] }),
        Kind::Nested(_) => json!({}),
    }
}

fn list_of(definition: &str, least: usize) -> Value {
    json!({ "type": "array", "items": reference(definition), "minItems": least })
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}
