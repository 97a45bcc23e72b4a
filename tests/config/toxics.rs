//! How toxics are written: each attribute reaches the plan, what is left out has its default, and every type has its row in
//! the documents and its example. The types are read from their declarations.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use chaos_proxy::config::{Defaults, load};
use chaos_proxy::plan::Profile;
use chaos_proxy::toxic::{TYPES, Toxic, ToxicType};
use chaos_proxy::value::{Key, Presence, Probability, Selector, Stream, Window};
use serde_json::Value;

use super::json;

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
fn the_examples_of_the_readme_load() {
    let readme = fs::read_to_string("README.md").unwrap();
    let examples: Vec<&str> = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let failed = examples.iter().find_map(|example| json(example, Defaults::default()).err());
    assert!(failed.is_none(), "{}", failed.unwrap());
    for ToxicType { name, .. } in TYPES {
        let is_there = examples.iter().any(|example| example.contains(&format!(r#""{name}""#)));
        assert!(is_there, "README.md has no example of {name}: add it below the table of types");
    }
}

#[test]
fn what_a_toxic_leaves_out_has_its_default() {
    for kind in TYPES {
        let toxic = toxic_of(kind, &required(kind));
        let defaults: Vec<_> =
            kind.attributes.iter().map(|attribute| (attribute.name, attribute.value().unwrap())).collect();
        assert_eq!(toxic.effect.attributes().collect::<Vec<_>>(), defaults);
        assert_eq!(
            (toxic.stream, toxic.toxicity, &toxic.selector),
            (Stream::Downstream, share(1.0), &Selector::default())
        );
        assert_eq!(toxic.name.as_str(), format!("{}_downstream", kind.name));
    }
}

/// Even one that would change nothing if it were another value.
#[test]
fn a_default_may_be_written_down() {
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
fn a_toxic_is_aimed_as_it_says() {
    let text = r#"{ "type": "stall", "name": "pause", "stream": "both", "toxicity": 0.3, "connections": "*/3",
                    "clients": ["10.0.0.0/8", "::1"], "after": 50, "for": 10, "attributes": { "duration": 100 } }"#;
    let [toxic] = &toxics(text)[..] else { panic!("one toxic was written") };
    assert_eq!((toxic.name.as_str(), toxic.stream, toxic.toxicity), ("pause", Stream::Both, share(0.3)));
    assert_eq!(toxic.selector.window, Window { after: of(50), lasts: Some(of(10)) });
    for (number, client, meant) in [(3, "10.1.2.3", true), (6, "::1", true), (4, "::1", false), (3, "::2", false)] {
        assert_eq!(toxic.selector.takes(number, client.parse().unwrap()), meant, "{number} {client}");
    }
}

#[test]
fn toxics_act_in_the_order_of_the_list_and_a_profile_before_them() {
    let text = r#"[{ "localPort": 8180, "upstream": "127.0.0.1:9090", "toxics": [
        { "type": "noop" }, { "type": "limit_data", "attributes": { "bytes": 5 } }, { "name": "a", "type": "noop" }
    ], "profile": "lossy-wifi" }]"#;
    let plan = json(text, Defaults::default()).unwrap();
    let (brought, own) = plan.routes()[0].toxics.split_at(4);
    assert_eq!(brought, Profile::LossyWifi.toxics());
    let names: Vec<&str> = own.iter().map(|toxic| toxic.name.as_str()).collect();
    assert_eq!(names, ["noop_downstream", "limit_data_downstream", "a"]);
}

#[test]
fn each_profile_is_known_by_its_name() {
    let plan = load(Path::new("configs/valid/profiles.json"), Defaults::default()).unwrap();
    for (route, profile) in plan.routes().iter().zip(Profile::ALL) {
        assert!(route.toxics.starts_with(&profile.toxics()), "{} is not {}", route.name, profile.as_str());
    }
    assert_eq!(plan.routes().len(), Profile::ALL.len());
}

/// One millisecond decides: what ends a connection has to come before the toxic's own end.
#[test]
fn what_is_due_within_the_time_of_a_toxic_is_taken() {
    let kinds = [("limit_time", "time"), ("timeout", "timeout"), ("reset_peer", "timeout")];
    for (kind, key) in kinds {
        let of = |due: u32| format!(r#"{{ "type": "{kind}", "for": 100, "attributes": {{ "{key}": {due} }} }}"#);
        assert_eq!(toxics(&of(99)).len(), 1);
        let report = json(&route_with(&of(100)), Defaults::default()).unwrap_err();
        let said: Vec<&str> = report.problems().map(|(_, problem)| problem.what()).collect();
        assert_eq!(said, ["this never happens: the toxic acts for 100 ms only"], "{kind}");
    }
    assert_eq!(toxics(r#"{ "type": "timeout", "for": 1, "attributes": { "timeout": 0 } }"#).len(), 1);
}

fn toxics(written: &str) -> Vec<Toxic> {
    json(&route_with(written), Defaults::default()).unwrap().routes()[0].toxics.clone()
}

fn route_with(toxics: &str) -> String {
    format!(r#"[{{ "localPort": 8180, "upstream": "127.0.0.1:9090", "toxics": [{toxics}] }}]"#)
}

fn of<T: TryFrom<i128, Error: Debug>>(number: i128) -> T {
    T::try_from(number).unwrap()
}

fn share(number: f64) -> Probability {
    Probability::try_from(number).unwrap()
}
