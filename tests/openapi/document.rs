//! The file as a document: it parses, its references resolve, it describes each parameter and error, and its
//! schemas of routes and toxics are those of config files. `BLESS=1 cargo test --test openapi` rewrites these schemas.

use std::collections::HashSet;
use std::{env, fs};

use chaos_proxy::config::schema;
use chaos_proxy::toxic::TYPES;
use serde_json::{Map, Value, json};

const FILE: &str = "configs/openapi.json";

/// What the names of schemas begin with that are those of config files.
const PREFIX: &str = "config.";

/// The name is that of the examples of paths.
const ROUTE_EXAMPLES: &[(&str, &str)] = &[("bind", "127.0.0.1"), ("name", "db")];
const TOXIC_EXAMPLES: &[(&str, &str)] = &[("clients", "127.0.0.0/8"), ("connections", "1-2,5,10-")];

/// Responses that every operation can have, since they are decided before the path is looked at, or after all.
const COMMON: &[&str] = &["400", "401", "403", "405", "408", "413", "431", "500", "503"];

fn document() -> Value {
    serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap()
}

/// Each operation with its name, such as `GET /v1/seed`, and the path that it belongs to.
fn operations(document: &Value) -> Vec<(String, &Value, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            found.push((format!("{} {path}", method.to_uppercase()), item, operation));
        }
    }
    found
}

#[test]
fn references_resolve() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect_references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("$ref").and_then(Value::as_str));
            entries.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[test]
fn every_operation_has_a_name_and_the_errors_that_all_have() {
    let document = document();
    let mut ids = HashSet::new();
    for (name, item, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: another one has this operationId");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}: no success");
        let needs_token = operation["security"] != json!([{}]);
        for status in COMMON.iter().filter(|status| needs_token || **status != "401") {
            assert!(responses.contains_key(*status), "{name}: {status} is missing");
        }
        for parameter in name.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
            assert!(describes(&document, &item["parameters"], parameter), "{name}: {parameter} is not described");
            assert!(responses.contains_key("404") || operation["operationId"] == "putRoute", "{name}: 404 is missing");
        }
    }
}

fn describes(document: &Value, parameters: &Value, name: &str) -> bool {
    let resolved = parameters.as_array().unwrap().iter().map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => parameter,
    });
    let mut of_that_name = resolved.filter(|parameter| parameter["name"] == name);
    of_that_name.any(|it| it["in"] == "path" && it["required"] == true && it["description"].is_string())
}

#[test]
fn schemas_of_routes_and_toxics_are_those_of_config_files() {
    let mut document = document();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    let (written, other): (Map<_, _>, Map<_, _>) =
        std::mem::take(schemas).into_iter().partition(|(name, _)| name.starts_with(PREFIX));
    let expected = schemas_of_config_files();
    if env::var_os("BLESS").is_some() {
        schemas.extend(other);
        schemas.extend(expected);
        return fs::write(FILE, format!("{document:#}\n")).unwrap();
    }
    for (name, schema) in &expected {
        let hint = "run BLESS=1 cargo test --test openapi, and look at the difference";
        assert_eq!(written.get(name), Some(schema), "{FILE}: {name} is not that of config files: {hint}");
    }
    assert_eq!(written.len(), expected.len(), "{FILE} has a schema that config files do not have");
}

/// The definitions of `--schema` with names for this document.
fn schemas_of_config_files() -> Map<String, Value> {
    let renamed = schema().replace("#/$defs/", &format!("#/components/schemas/{PREFIX}"));
    let mut schema: Value = serde_json::from_str(&renamed).unwrap();
    let file = json!({ "anyOf": schema["anyOf"].take() });
    let definitions = schema["$defs"].as_object_mut().unwrap();
    for route in definitions["route"]["anyOf"].as_array_mut().unwrap() {
        add_examples(&mut route["properties"], ROUTE_EXAMPLES);
    }
    let mut toxic = definitions.remove("toxic").unwrap();
    add_examples(&mut toxic["properties"], TOXIC_EXAMPLES);
    for toxic_type in TYPES {
        let attributes = &definitions[&format!("{}_attributes", toxic_type.name)];
        let schema = toxic_of(toxic_type.name, attributes, &toxic);
        definitions.insert(format!("{}_toxic", toxic_type.name), schema);
    }
    definitions.extend([("toxic".to_owned(), any_toxic()), ("file".to_owned(), file)]);
    std::mem::take(definitions).into_iter().map(|(name, value)| (format!("{PREFIX}{name}"), value)).collect()
}

/// Adds examples of texts whose form a schema does not know, for generators of requests.
fn add_examples(properties: &mut Value, examples: &[(&str, &str)]) {
    for (key, example) in examples {
        if let Some(property) = properties.get_mut(key) {
            property["examples"] = json!([example]);
        }
    }
}

/// A toxic of one type. `--schema` has one for all types, with conditions, of which generators of requests make nothing.
fn toxic_of(type_name: &str, attributes: &Value, toxic: &Value) -> Value {
    let mut properties = toxic["properties"].clone();
    properties["type"] = json!({ "const": type_name });
    properties["attributes"] = json!({ "$ref": reference(&format!("{type_name}_attributes")) });
    let required = ["type"].into_iter().chain(attributes.get("required").map(|_| "attributes"));
    json!({
        "type": "object",
        "properties": properties,
        "required": required.collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

fn any_toxic() -> Value {
    let references = || TYPES.iter().map(|it| (it.name, reference(&format!("{}_toxic", it.name))));
    let mapping: Map<String, Value> = references().map(|(name, it)| (name.to_owned(), it.into())).collect();
    json!({
        "oneOf": references().map(|(_, it)| json!({ "$ref": it })).collect::<Vec<_>>(),
        "discriminator": { "propertyName": "type", "mapping": mapping },
    })
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{PREFIX}{name}")
}

#[test]
fn every_type_of_toxic_and_every_attribute_is_described() {
    let document = document();
    for toxic_type in TYPES {
        let schema = &document["components"]["schemas"][format!("{PREFIX}{}_attributes", toxic_type.name)];
        assert!(schema["description"].is_string(), "{} is missing", toxic_type.name);
        for attribute in toxic_type.attributes {
            let described = &schema["properties"][attribute.name]["description"];
            assert!(described.is_string(), "{}: {} is missing", toxic_type.name, attribute.name);
        }
    }
}

#[test]
fn the_reference_has_the_same_requests() {
    let document = document();
    let reference = fs::read_to_string("configs/README.md").unwrap();
    let section = reference.split("\n## Admin server\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for (name, ..) in operations(&document) {
        let (method, path) = name.split_once(' ').unwrap();
        let row = section.lines().find(|line| line.contains(&format!("`{path}`")) && line.contains(method));
        assert!(row.is_some(), "configs/README.md, Admin server: {name} is missing");
    }
}
