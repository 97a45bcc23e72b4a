//! Random routes, made from the declarations of toxics. Values are small enough for a run of a second.

use chaos_proxy::config::{Syntax, parse_toxic};
use chaos_proxy::plan::Profile;
use chaos_proxy::toxic::{TYPES, ToxicType};
use chaos_proxy::value::{Bounds, Key, Kind, Unit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const AFTER_THE_TEST: u32 = 3_600_000;

/// The keys of a route beside its addresses, as JSON. One in four has a profile.
pub fn route() -> impl Strategy<Value = String> {
    let mode = select(vec!["close", "reset", "hang"]);
    let profile = prop_oneof![
        3 => Just(String::new()),
        1 => select(Profile::ALL).prop_map(|profile| format!(r#""profile": "{}", "#, profile.as_str()))
    ];
    (0.0..0.5_f64, mode, 0..40_u32, profile, vec(toxic(), 0..4)).prop_map(|(rate, mode, latency, profile, toxics)| {
        let toxics: Vec<String> =
            (0..).zip(toxics).map(|(number, toxic): (u32, _)| toxic.replace("NUMBER", &number.to_string())).collect();
        let toxics = toxics.join(", ");
        format!(r#"{profile}"dropRate": {rate}, "dropMode": "{mode}", "latencyMs": {latency}, "toxics": [{toxics}]"#)
    })
}

/// A toxic of any type, for some connections. One in eight begins to act after the test, and one in four stops, either after
/// the test or, if it has no other effect than to block everything, within it.
fn toxic() -> impl Strategy<Value = String> {
    let stream = select(vec!["upstream", "downstream", "both"]);
    let connections = select(vec!["1-", "*/2", "2-4,6"]);
    let clients = select(vec!["127.0.0.0/8", "127.0.0.0/8", "10.0.0.0/8"]);
    let after = prop_oneof![7 => Just(0), 1 => Just(AFTER_THE_TEST)];
    let end = prop_oneof![3 => Just(None), 1 => (30..60_u32).prop_map(Some)];
    (select(TYPES).prop_flat_map(attributes), stream, 0.4..=1.0_f64, connections, clients, after, end)
        .prop_map(|((kind, attributes), stream, toxicity, connections, clients, after, end)| {
            let within = if matches!(kind, "stall" | "timeout") { end } else { end.map(|_| AFTER_THE_TEST) };
            let end = within.map(|end| format!(r#""for": {end}, "#)).unwrap_or_default();
            format!(
                r#"{{"type": "{kind}", "name": "toxic NUMBER", "stream": "{stream}", "toxicity": {toxicity}, {end}
                "connections": "{connections}", "clients": "{clients}", "after": {after}, "attributes": {{{attributes}}}}}"#
            )
        })
        .prop_filter("attributes that don't fit each other", |toxic| parse_toxic("it", toxic, Syntax::Json).is_ok())
}

fn attributes(kind: &'static ToxicType) -> impl Strategy<Value = (&'static str, String)> {
    let attribute = |key: &'static Key| value(key.kind).prop_map(move |value| format!(r#""{}": {value}"#, key.name));
    let attributes: Vec<_> = kind.attributes.iter().map(attribute).collect();
    attributes.prop_map(|attributes| (kind.name, attributes.join(", ")))
}

fn value(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Whole(Bounds { least, unit, .. }) | Kind::WholeOr(Bounds { least, unit, .. }, _) => {
            let range = match unit {
                Unit::Millis | Unit::None => least..=60,
                Unit::Micros => least..=20,
                Unit::Bytes => least..=15_000,
                Unit::KilobytesPerSecond => 1000..=100_000,
            };
            range.prop_map(|number| number.to_string()).boxed()
        }
        Kind::Share => prop_oneof![0.0..0.01_f64, 0.0..0.4_f64].prop_map(|share| share.to_string()).boxed(),
        Kind::Word(words) => select(words).prop_map(|word| format!("{word:?}")).boxed(),
        Kind::Flag => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
        Kind::Text | Kind::Texts | Kind::Nested(_) => unreachable!("no attribute has this kind"),
    }
}
