//! Tests of toxics in configs: each attribute reaches the plan, missing attributes have defaults, and the documents
//! have a row and an example for each type.

use std::fmt::Debug;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use chaos_proxy::config::{Defaults, load};
use chaos_proxy::plan::{
    Bandwidth, CloseMode, Corrupt, Distribution, Effect, Latency, LimitData, LimitTime, PacketLoss, Probability,
    Profile, ResetPeer, Selector, Sharing, Slicer, SlowClose, Stall, Stream, TimeoutToxic, Toxic, Window,
};

use super::json;

#[test]
fn every_attribute_reaches_the_plan() {
    let latency = Latency::new(value(200), value(50)).unwrap();
    let latency = latency.correlated(probability(0.25)).unwrap().distributed(Distribution::Normal).unwrap();
    let packet_loss =
        PacketLoss { loss_rate: probability(0.01), correlation: probability(0.5), retransmit: value(300) };
    let slicer = Slicer::new(NonZeroU32::new(64).unwrap(), 32, value(500)).unwrap();
    let plan = load(Path::new("configs/valid/toxics.json"), Defaults::default()).unwrap();
    let effects: Vec<&Effect> =
        plan.routes().iter().flat_map(|route| &route.toxics).map(|toxic| &toxic.effect).collect();
    let expected = [
        Effect::Latency(latency),
        Effect::Bandwidth(Bandwidth::new(value(128), 16_000, Sharing::Shared).unwrap()),
        Effect::PacketLoss(packet_loss),
        Effect::Slicer(slicer),
        Effect::LimitData(LimitData { bytes: 100_000, close_mode: CloseMode::Reset }),
        Effect::LimitTime(LimitTime { time: value(30_000), close_mode: CloseMode::Close }),
        Effect::ResetPeer(ResetPeer { timeout: value(1000) }),
        Effect::SlowClose(SlowClose { delay: value(2000) }),
        Effect::Stall(Stall { duration: value(2000) }),
        Effect::Timeout(TimeoutToxic { timeout: value(10_000) }),
        Effect::Corrupt(Corrupt { rate: probability(0.0001) }),
        Effect::Noop,
    ];
    assert_eq!(effects, expected.iter().collect::<Vec<_>>());
    for kind in toxic_types() {
        assert!(effects.iter().any(|effect| effect.as_str() == kind), "configs/valid/toxics.json has no {kind}");
    }
}

#[test]
fn documents_have_a_row_for_every_toxic() {
    for document in ["README.md", "configs/README.md"] {
        let text = fs::read_to_string(document).unwrap();
        let rows = text.lines().skip_while(|line| !line.starts_with("| type  ")).skip(2);
        let kinds: Vec<&str> = rows.map_while(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(kinds, toxic_types(), "{document}");
    }
}

#[test]
fn examples_of_the_readme_load() {
    let readme = fs::read_to_string("README.md").unwrap();
    let examples: Vec<&str> = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let failed = examples.iter().find_map(|example| json(example, Defaults::default()).err());
    assert!(failed.is_none(), "{}", failed.unwrap());
    for kind in toxic_types() {
        assert!(examples.iter().any(|example| example.contains(&format!(r#""{kind}""#))), "no example of {kind}");
    }
}

/// The types of toxics, as listed in the hint for an unknown type.
fn toxic_types() -> Vec<String> {
    let report = json(&route_with(r#"{ "type": "?" }"#), Defaults::default()).unwrap_err();
    let (_, problem) = report.problems().next().unwrap();
    problem.hint().strip_prefix("the types of toxics are ").unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn missing_attributes_have_defaults() {
    let defaults = [
        (
            r#""type": "latency", "attributes": { "latency": 5 }"#,
            Effect::Latency(Latency::new(value(5), value(0)).unwrap()),
        ),
        (
            r#""type": "bandwidth", "attributes": { "rate": 0 }"#,
            Effect::Bandwidth(Bandwidth::new(value(0), 0, Sharing::Own).unwrap()),
        ),
        (
            r#""type": "packet_loss", "attributes": { "loss_rate": 1 }"#,
            Effect::PacketLoss(PacketLoss {
                loss_rate: probability(1.0),
                correlation: probability(0.0),
                retransmit: value(200),
            }),
        ),
        (r#""type": "corrupt", "attributes": { "rate": 1 }"#, Effect::Corrupt(Corrupt { rate: probability(1.0) })),
        (
            r#""type": "slicer", "attributes": { "average_size": 1 }"#,
            Effect::Slicer(Slicer::new(NonZeroU32::MIN, 0, value(0)).unwrap()),
        ),
        (
            r#""type": "limit_data", "attributes": { "bytes": 18446744073709551615 }"#,
            Effect::LimitData(LimitData { bytes: u64::MAX, close_mode: CloseMode::Close }),
        ),
        (
            r#""type": "limit_time", "attributes": { "time": 0 }"#,
            Effect::LimitTime(LimitTime { time: value(0), close_mode: CloseMode::Close }),
        ),
        (r#""type": "timeout""#, Effect::Timeout(TimeoutToxic { timeout: value(0) })),
        (r#""type": "stall""#, Effect::Stall(Stall { duration: value(0) })),
        (r#""type": "slow_close", "attributes": { "delay": 5 }"#, Effect::SlowClose(SlowClose { delay: value(5) })),
        (r#""type": "reset_peer""#, Effect::ResetPeer(ResetPeer { timeout: value(0) })),
        (r#""type": "noop""#, Effect::Noop),
    ];
    assert_eq!(defaults.each_ref().map(|(_, effect)| effect.as_str())[..], toxic_types());
    for (written, effect) in defaults {
        let [toxic] = &toxics(&format!("{{ {written} }}"))[..] else { panic!("one toxic was written") };
        assert_eq!(toxic.effect, effect, "{written}");
        assert_eq!(
            (toxic.stream, toxic.toxicity, &toxic.selector),
            (Stream::Downstream, probability(1.0), &Selector::default())
        );
        // Configs and logs name the type alike.
        assert_eq!(toxic.name.as_str(), format!("{}_downstream", effect.as_str()));
    }
}

/// Includes attributes that have no effect at their default, such as `correlation` without jitter.
#[test]
fn explicit_defaults_equal_missing_attributes() {
    for (kind, without, with) in [
        ("latency", r#""latency": 5"#, r#""latency": 5, "jitter": 0, "correlation": 0.0, "distribution": "uniform""#),
        ("bandwidth", r#""rate": 0"#, r#""rate": 0, "burst": 0, "shared": false"#),
    ] {
        let [without, with] = [without, with]
            .map(|attributes| toxics(&format!(r#"{{ "type": "{kind}", "attributes": {{ {attributes} }} }}"#)));
        assert_eq!(without, with);
    }
}

#[test]
fn selector_keys_reach_the_plan() {
    let text = r#"{ "type": "stall", "name": "pause", "stream": "both", "toxicity": 0.3, "connections": "*/3",
                    "clients": ["10.0.0.0/8", "::1"], "after": 50, "for": 10, "attributes": { "duration": 100 } }"#;
    let [toxic] = &toxics(text)[..] else { panic!("one toxic was written") };
    assert_eq!((toxic.name.as_str(), toxic.stream, toxic.toxicity), ("pause", Stream::Both, probability(0.3)));
    assert_eq!(toxic.selector.window, Window { after: value(50), lasts: Some(value(10)) });
    for (number, client, expected) in [(3, "10.1.2.3", true), (6, "::1", true), (4, "::1", false), (3, "::2", false)] {
        assert_eq!(toxic.selector.takes(number, client.parse().unwrap()), expected, "{number} {client}");
    }
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
    for (kind, key) in [("limit_time", "time"), ("timeout", "timeout"), ("reset_peer", "timeout")] {
        let due_at = |due: u32| format!(r#"{{ "type": "{kind}", "for": 100, "attributes": {{ "{key}": {due} }} }}"#);
        assert_eq!(toxics(&due_at(99)).len(), 1);
        let report = json(&route_with(&due_at(100)), Defaults::default()).unwrap_err();
        let messages: Vec<&str> = report.problems().map(|(_, problem)| problem.what()).collect();
        assert_eq!(messages, ["this never happens: the toxic acts for 100 ms only"], "{kind}");
    }
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
