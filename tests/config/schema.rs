//! The JSON Schema that `--schema` prints: it accepts every valid config and rejects the mistakes that it can know.

use std::fs;
use std::path::Path;
use std::process::Command;

use chaos_proxy::config::schema;
use serde_json::Value;

use super::{files, json_schema};

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
    "unknown_route_expected.json",
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
    json_schema::accepts(&serde_json::from_str(&schema()).unwrap(), config)
}
