//! Tests of toxics in configs: each attribute reaches the plan, missing attributes have defaults, and every type has its
//! examples. The types are read from their declarations.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use chaos_proxy::config::{Defaults, Syntax, parse_toxic};
use chaos_proxy::plan::Profile;
use chaos_proxy::toxic::{TYPES, Toxic, ToxicType};
use chaos_proxy::value::{Key, Kind, Presence, Probability, Selector, Stream, Window};
use serde_json::Value;

use super::{files, json, load, parse};

#[test]
fn every_attribute_reaches_the_plan() {
    let path = Path::new("configs/valid/toxics.json");
    let written: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let written: Vec<&Value> = written["routes"].as_array().unwrap().iter().flat_map(toxics_of).collect();
    let plan = load(path, Defaults::default()).unwrap();
    let read: Vec<&Toxic> = plan.routes().iter().flat_map(|route| &route.toxics).collect();
    assert_eq!(read.len(), written.len());
    for (toxic, written) in read.iter().zip(&written) {
        assert_eq!(written["type"], toxic.effect.as_str());
        for (name, scalar) in toxic.effect.attributes() {
            let value = &written["attributes"][name];
            assert_eq!(
                value,
                &serde_json::to_value(scalar).unwrap(),
                "`{name}` of {}: write it into {path:?}",
                toxic.name
            );
        }
    }
    for kind in TYPES {
        let is_there = read.iter().any(|toxic| toxic.effect.as_str() == kind.name);
        assert!(is_there, "{path:?} has no toxic of the type {}: add one with all of its attributes", kind.name);
    }
}

fn toxics_of(route: &Value) -> &Vec<Value> {
    route["toxics"].as_array().unwrap()
}

#[test]
fn every_declared_type_is_in_the_list() {
    for path in files("src/toxic") {
        let source = fs::read_to_string(&path).unwrap_or_default();
        let Some((_, declared)) = source.split_once("\ndeclare! {\n").and_then(|(_, it)| it.split_once("pub struct "))
        else {
            continue;
        };
        let (name, module) = (declared.split('"').nth(1).unwrap(), path.file_stem().unwrap().to_str().unwrap());
        assert!(
            TYPES.iter().any(|kind| kind.name == name),
            "{path:?} is not compiled: add `mod {module};` to src/toxic/mod.rs, and `{module}::{},` to src/toxic/effect.rs",
            declared.split('(').next().unwrap()
        );
    }
}

#[test]
fn every_type_is_tried_over_sockets() {
    let sources: String = files("tests/proxy/toxics").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for ToxicType { name, .. } in TYPES {
        let is_there = sources.contains(&format!("\"{name}\""));
        assert!(is_there, "no test of {name} over real sockets: add one in tests/proxy/toxics");
    }
}

/// Of each attribute a value of another kind, and one beyond each end of its range.
#[test]
fn every_wrong_value_is_reported_where_it_stands() {
    for kind in TYPES {
        for attribute in kind.attributes {
            let beyond = match attribute.kind {
                Kind::Whole(range) => vec![i128::from(range.least) - 1, i128::from(range.most) + 1],
                _ => vec![-1],
            };
            for wrong in beyond.iter().map(i128::to_string).chain(["null".to_owned(), "[]".to_owned()]) {
                let of_others = required(kind).into_iter().filter(|other| other.name != attribute.name);
                let entries = of_others.map(|other| (other.name, other.value().unwrap().to_string()));
                let entries = [(attribute.name, wrong.clone())].into_iter().chain(entries);
                let entries: Vec<String> = entries.map(|(name, value)| format!("\"{name}\": {value}")).collect();
                let text = format!(r#"{{ "type": "{}", "attributes": {{ {} }} }}"#, kind.name, entries.join(", "));
                let report = parse_toxic("it", &text, Syntax::Json).unwrap_err();
                let column = text.find(&wrong).unwrap() + 1;
                let found: Vec<_> = report.problems().map(|(position, _)| position.unwrap().column).collect();
                assert_eq!(found, [column], "{text}\n{report}");
            }
        }
    }
}

#[test]
fn examples_of_the_reference_load() {
    let reference = fs::read_to_string("configs/README.md").unwrap();
    let examples = |language: &str| -> Vec<&str> {
        let fence = format!("```{language}\n");
        reference.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
    };
    for (language, syntax) in [("json", Syntax::Json), ("yaml", Syntax::Yaml)] {
        let failed = examples(language).iter().find_map(|it| parse("it", it, syntax, Defaults::default()).err());
        assert!(failed.is_none(), "{}", failed.unwrap());
    }
    for ToxicType { name, .. } in TYPES {
        let is_there = examples("json").iter().any(|example| example.contains(&format!(r#""{name}""#)));
        assert!(is_there, "configs/README.md has no example of {name}: add it below the table of attributes");
    }
}

#[test]
fn missing_attributes_have_defaults() {
    for kind in TYPES {
        let toxic = toxic_of(kind, &required(kind));
        let defaults: Vec<_> =
            kind.attributes.iter().map(|attribute| (attribute.name, attribute.value().unwrap())).collect();
        assert_eq!(toxic.effect.attributes().collect::<Vec<_>>(), defaults);
        assert_eq!(
            (toxic.stream, toxic.toxicity, &toxic.selector),
            (Stream::Downstream, probability(1.0), &Selector::default())
        );
        assert_eq!(toxic.name.as_str(), format!("{}_downstream", kind.name));
    }
}

/// Includes attributes that have no effect at their default, such as `correlation` without jitter.
#[test]
fn explicit_defaults_equal_missing_attributes() {
    for kind in TYPES {
        let all: Vec<&Key> = kind.attributes.iter().collect();
        assert_eq!(toxic_of(kind, &all), toxic_of(kind, &required(kind)));
    }
}

fn required(kind: &ToxicType) -> Vec<&Key> {
    let is_required = |attribute: &&Key| matches!(attribute.presence, Presence::Required(_));
    kind.attributes.iter().filter(is_required).collect()
}

/// A toxic for which these attributes are written.
fn toxic_of(kind: &ToxicType, attributes: &[&Key]) -> Toxic {
    let entry = |attribute: &&Key| format!("\"{}\": {}", attribute.name, attribute.value().unwrap());
    let attributes: Vec<String> = attributes.iter().map(entry).collect();
    let written = format!(r#"{{ "type": "{}", "attributes": {{ {} }} }}"#, kind.name, attributes.join(", "));
    let [toxic] = &toxics(&written)[..] else { panic!("one toxic was written") };
    toxic.clone()
}

#[test]
fn selector_keys_reach_the_plan() {
    let text = r#"{ "type": "stall", "name": "pause", "stream": "both", "toxicity": 0.3, "connections": "*/3",
                    "clients": ["10.0.0.0/8", "::1"], "destinations": ":443", "after": 50, "for": 10, "attributes": { "duration": 100 } }"#;
    let [toxic] = &toxics(text)[..] else { panic!("one toxic was written") };
    assert_eq!((toxic.name.as_str(), toxic.stream, toxic.toxicity), ("pause", Stream::Both, probability(0.3)));
    assert_eq!(toxic.selector.window, Window { after: value(50), lasts: Some(value(10)) });
    for (number, client, destination, expected) in [
        (3, "10.1.2.3", "10.0.0.1:443", true),
        (6, "::1", "[::1]:443", true),
        (4, "::1", "[::1]:443", false),
        (3, "::2", "[::1]:443", false),
        (3, "::1", "[::1]:444", false),
    ] {
        let selects = toxic.selector.selects(number, client.parse().unwrap(), Some(destination.parse().unwrap()));
        assert_eq!(selects, expected, "{number} {client} {destination}");
    }
    assert!(!toxic.selector.selects(3, [10, 1, 2, 3].into(), None), "it goes nowhere");
}

#[test]
fn profile_comes_before_toxics_in_list_order() {
    let text = r#"[{ "localPort": 8180, "upstream": "127.0.0.1:9090", "toxics": [
        { "type": "noop" }, { "type": "limit_data", "attributes": { "bytes": 5 } }, { "name": "a", "type": "noop" }
    ], "profile": "lossy-wifi" }]"#;
    let plan = json(text, Defaults::default()).unwrap();
    let (of_profile, own) = plan.routes()[0].toxics.split_at(4);
    assert_eq!(of_profile, Profile::LossyWifi.toxics());
    let names: Vec<&str> = own.iter().map(|toxic| toxic.name.as_str()).collect();
    assert_eq!(names, ["noop_downstream", "limit_data_downstream", "a"]);
}

#[test]
fn every_profile_is_found_by_name() {
    let plan = load(Path::new("configs/valid/profiles.json"), Defaults::default()).unwrap();
    for (route, profile) in plan.routes().iter().zip(Profile::ALL) {
        assert!(route.toxics.starts_with(&profile.toxics()), "{} is not {}", route.name, profile.as_str());
    }
    assert_eq!(plan.routes().len(), Profile::ALL.len());
}

/// A toxic that ends a connection must do so before its own window ends. The bound is exact to the millisecond.
#[test]
fn rejects_a_timeout_outside_of_the_window() {
    let attributes = TYPES.iter().flat_map(|kind| kind.attributes.iter().map(move |key| (kind, key)));
    let mut ending = Vec::new();
    for (kind, key) in attributes {
        let of = |value: u32| {
            format!(r#"{{ "type": "{}", "for": 100, "attributes": {{ "{}": {value} }} }}"#, kind.name, key.name)
        };
        let Ok(toxic) = parse_toxic("it", &of(99), Syntax::Json) else { continue };
        if toxic.effect.due().is_some() {
            let report = parse_toxic("it", &of(100), Syntax::Json).unwrap_err();
            let what: Vec<&str> = report.problems().map(|(_, problem)| problem.what()).collect();
            assert_eq!(what, ["this never happens: the toxic acts for 100 ms only"], "{}", kind.name);
            ending.push(kind.name);
        }
    }
    assert!(["limit_time", "timeout", "reset_peer"].iter().all(|it| ending.contains(it)), "{ending:?}");
    assert_eq!(toxics(r#"{ "type": "timeout", "for": 1, "attributes": { "timeout": 0 } }"#).len(), 1);
}

fn toxics(written: &str) -> Vec<Toxic> {
    json(&route_with(written), Defaults::default()).unwrap().routes()[0].toxics.clone()
}

fn route_with(toxics: &str) -> String {
    format!(r#"[{{ "localPort": 8180, "upstream": "127.0.0.1:9090", "toxics": [{toxics}] }}]"#)
}

fn value<T: TryFrom<i128, Error: Debug>>(number: i128) -> T {
    T::try_from(number).unwrap()
}

fn probability(number: f64) -> Probability {
    Probability::try_from(number).unwrap()
}
