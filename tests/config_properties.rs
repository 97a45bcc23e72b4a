//! Properties of config parsing: every text gives a plan or a report, never a panic; positions in a report exist and it
//! prints without control characters; JSON and YAML with the same content give the same result; what is written from a
//! plan is parsed to an equal plan.
// Half of the examples are YAML.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

use chaos_proxy::config::{Defaults, Report, Syntax, parse, parse_arguments, parse_route, parse_toxic};
use chaos_proxy::plan::Plan;
use chaos_proxy::toxic::keys::{AFTER, FOR, STREAM, TOXIC, TOXICITY};
use chaos_proxy::toxic::{TYPES, ToxicType};
use chaos_proxy::value::{Bounds, Kind};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const SYNTAXES: [Syntax; 2] = [Syntax::Json, Syntax::Yaml];

proptest! {
    // Failures are not stored in files: a failure that shrinks to a short text becomes a named test in `tests/config`.
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_plan_or_a_valid_report(text in text()) {
        for syntax in SYNTAXES {
            check_report(&text, &read(&text, syntax))?;
        }
    }

    #[test]
    fn damaged_config_gives_a_plan_or_a_valid_report((text, damage) in (select(VALID), vec(damage(), 1..4))) {
        let text = damage.iter().fold(text.to_owned(), |text, damage| damage.apply_to(&text));
        for syntax in SYNTAXES {
            check_report(&text, &read(&text, syntax))?;
        }
    }

    #[test]
    fn any_argument_gives_toxics_or_a_valid_report(profile in option::of(text()), toxics in vec(argument(), 0..3)) {
        if let Err(report) = parse_arguments(profile.as_deref(), &toxics) {
            prop_assert!(report.problems().len() > 0);
            prop_assert!(!report.to_string().contains(|c: char| c.is_control() && c != '\n'));
        }
    }

    /// JSON is valid YAML, so both parsers must give the same result, positions included.
    #[test]
    fn json_text_gives_the_same_result_as_yaml(text in route_list_with_any_keys()) {
        let [json, yaml] = SYNTAXES.map(|syntax| read(&text, syntax));
        check_report(&text, &json)?;
        prop_assert_eq!(json.map_err(|report| report.to_string()), yaml.map_err(|report| report.to_string()));
    }

    #[test]
    fn json_toxics_give_the_same_result_as_yaml(toxics in vec(toxic_with_any_keys(), 0..5), profile in json_leaf()) {
        let text = format!("[{{ {ROUTE}, \"profile\": {profile},\n \"toxics\": [\n {}\n] }}]", toxics.join(",\n "));
        let [json, yaml] = SYNTAXES.map(|syntax| read(&text, syntax));
        check_report(&text, &json)?;
        prop_assert_eq!(json.map_err(|report| report.to_string()), yaml.map_err(|report| report.to_string()));
    }

    #[test]
    fn toxics_in_json_equal_toxics_in_yaml(toxics in vec(toxic(), 1..6)) {
        let [json, yaml] = [json_of_toxics(&toxics), yaml_of_toxics(&toxics)];
        let plan = read(&json, Syntax::Json);
        prop_assert!(plan.is_ok(), "{}", plan.unwrap_err());
        prop_assert_eq!(plan.as_ref().unwrap().routes()[0].toxics.len(), toxics.len());
        prop_assert_eq!(&plan, &read(&yaml, Syntax::Yaml));
        is_written_as_it_is_read(&plan.unwrap())?;
    }

    #[test]
    fn routes_in_json_equal_routes_in_yaml(routes in btree_map(1_u16.., route(), 1..6), seed in any::<u64>()) {
        let json = json_of(&routes.iter().map(|(port, route)| route.keys(*port)).collect::<Vec<_>>(), seed);
        let yaml = yaml_of(&routes.iter().map(|(port, route)| route.keys(*port)).collect::<Vec<_>>(), seed);
        let plan = read(&json, Syntax::Json);
        prop_assert!(plan.is_ok(), "{}", plan.unwrap_err());
        prop_assert_eq!(&plan, &read(&yaml, Syntax::Yaml));
        is_written_as_it_is_read(&plan.unwrap())?;
    }
}

fn read(text: &str, syntax: Syntax) -> Result<Plan, Report> {
    parse("config", text, syntax, Defaults::default()).map(|resolved| resolved.value)
}

/// What is written from a plan, a route or a toxic is parsed to the same, in both formats.
fn is_written_as_it_is_read(plan: &Plan) -> Result<(), TestCaseError> {
    for syntax in SYNTAXES {
        let text = serde_json::to_string_pretty(plan).unwrap();
        prop_assert_eq!(&read(&text, syntax).map_err(|report| report.to_string()), &Ok(plan.clone()));
        for route in plan.routes() {
            let text = serde_json::to_string(route).unwrap();
            let parsed = parse_route("it", &text, syntax, Defaults::default()).map(|resolved| resolved.value);
            prop_assert_eq!(&parsed, &Ok(route.clone()));
            for toxic in &route.toxics {
                let text = serde_json::to_string(toxic).unwrap();
                prop_assert_eq!(&parse_toxic("it", &text, syntax), &Ok(toxic.clone()));
            }
        }
    }
    Ok(())
}

/// Checks that a report has problems, that their positions are in the text, and that it prints no control characters.
fn check_report(text: &str, result: &Result<Plan, Report>) -> Result<(), TestCaseError> {
    let Err(report) = result else { return Ok(()) };
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').collect();
    prop_assert!(report.problems().len() > 0);
    for position in report.problems().filter_map(|(position, _)| position) {
        let line = lines.get(position.line - 1).map(|line| line.chars().count());
        prop_assert!(line.is_some_and(|length| (1..=length + 1).contains(&position.column)), "{position:?}");
    }
    prop_assert!(!report.to_string().contains(|c: char| c.is_control() && c != '\n'));
    Ok(())
}

/// A toxic as an argument, or something similar.
fn argument() -> impl Strategy<Value = String> {
    const PIECES: [&str; 12] =
        ["latency", "noop", ":", ",", "=", "latency=1", "connections=1", "clients=", "::1", "1-2", "\u{e4}", "\n"];
    prop_oneof![text(), vec(select(&PIECES[..]), 0..9).prop_map(|pieces| pieces.concat())]
}

/// Text of arbitrary characters and of many tokens that are special to the parsers.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "\"",
        "'",
        "\\",
        "\\u",
        "#",
        "&a ",
        "*a",
        "<<",
        "!",
        "|",
        ">",
        "%",
        "@",
        "---\n",
        "...\n",
        "? ",
        "~",
        "null",
        "true",
        "1e999",
        ".nan",
        "-0",
        "0x",
        "localPort",
        "upstream",
        "127.0.0.1:9090",
        "routes",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\r",
        "\0",
    ];
    let piece =
        prop_oneof![4 => select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const VALID: &[&str] = &[
    include_str!("../configs/valid/every_key.json"),
    include_str!("../configs/valid/multiple_routes.json"),
    include_str!("../configs/valid/multiple_routes.yaml"),
    include_str!("../configs/valid/anchors.yaml"),
    include_str!("../configs/valid/seed.yaml"),
    include_str!("../configs/valid/toxics.json"),
    include_str!("../configs/valid/toxics.yaml"),
    include_str!("../configs/valid/toxiproxy.json"),
    include_str!("../configs/valid/toxiproxy_paste.json"),
    include_str!("../configs/valid/profiles.json"),
    include_str!("../configs/valid/scenario.json"),
    include_str!("../configs/valid/scenario_repeated.yaml"),
];

/// Replaces a range of characters.
#[derive(Clone, Debug)]
struct Damage {
    at: Index,
    length: usize,
    with: String,
}

impl Damage {
    fn apply_to(&self, text: &str) -> String {
        let at = self.at.index(text.chars().count() + 1);
        let before = text.chars().take(at);
        before.chain(self.with.chars()).chain(text.chars().skip(at + self.length)).collect()
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let with = prop_oneof![
        Just(String::new()),
        "[\\[\\]{},:\"'\\\\\n\t #&*!|\\-0-9a-z]{1,3}",
        any::<char>().prop_map(String::from)
    ];
    (any::<Index>(), 0..4_usize, with).prop_map(|(at, length, with)| Damage { at, length, with })
}

/// JSON text that is nearly a config: known and unknown keys, and values of every kind, some of them valid.
fn route_list_with_any_keys() -> impl Strategy<Value = String> {
    let key = select(vec![
        "localPort",
        "listen",
        "upstream",
        "dropRate",
        "latencyMs",
        "name",
        "bind",
        "dropMode",
        "enabled",
        "x",
    ]);
    let value = json_leaf().prop_recursive(3, 24, 4, move |inner| {
        let entry = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{}: {value}", quoted(key)));
        prop_oneof![
            1 => vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            3 => vec(entry, 0..7).prop_map(|entries| format!("{{ {} }}", entries.join(",\n  "))),
        ]
    });
    vec(value, 0..4).prop_map(|routes| format!("[\n  {}\n]\n", routes.join(",\n  ")))
}

fn json_leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0..70_000_i64).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (-2.0..2.0_f64).prop_map(|number| format!("{number:?}")),
        1 => select(vec!["null", "true", "false", "1e3", "1e999", "99999999999999999999", "-0.0"]).prop_map(str::to_owned),
        3 => select(vec!["127.0.0.1:9090", "[::1]:8180", "localhost:80", "close", "127.0.0.1", "8180", ""]).prop_map(quoted),
        1 => "[a-z\u{e4}\u{1F600}:/ ]{0,8}".prop_map(|text| quoted(&text)),
        3 => select(vec!["auto", "3g", "*/3", "1-2,5", "10.0.0.0/8", "normal", "upstream", "both", "limit_data"]).prop_map(quoted),
    ]
}

const ROUTE: &str = r#""localPort": 8180, "upstream": "10.0.0.1:9090""#;

/// A toxic of an existing type with arbitrary other keys, some of them duplicates.
fn toxic_with_any_keys() -> impl Strategy<Value = String> {
    let key = select(TOXIC.iter().map(|key| key.name).chain(["x"]).collect::<Vec<_>>());
    let attribute = select(TYPES.iter().flat_map(|kind| kind.attributes).map(|key| key.name).collect::<Vec<_>>());
    let value =
        prop_oneof![4 => json_leaf(), 1 => vec(json_leaf(), 0..3).prop_map(|list| format!("[{}]", list.join(", ")))];
    let attributes = vec(entry(attribute, json_leaf()), 0..5).prop_map(|it| format!("{{ {} }}", it.join(", ")));
    let attributes = prop_oneof![8 => attributes, 1 => json_leaf()].prop_map(|it| format!("\"attributes\": {it}"));
    let kind = select(TYPES).prop_map(|kind| format!("\"type\": \"{}\"", kind.name));
    (kind, attributes, vec(entry(key, value), 0..4)).prop_map(|(kind, attributes, others)| {
        let entries: Vec<String> = [kind, attributes].into_iter().chain(others).collect();
        format!("{{ {} }}", entries.join(",\n   "))
    })
}

fn entry(
    key: impl Strategy<Value = &'static str>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (key, value).prop_map(|(key, value)| format!("\"{key}\": {value}"))
}

type Entries = Vec<(&'static str, String)>;

/// A valid toxic: its keys and its attributes.
fn toxic() -> impl Strategy<Value = (Entries, Entries)> {
    let connections = option::of(select(vec!["1-2,5,10-", "*/3", "7"]).prop_map(quoted));
    let clients = option::of(select(vec!["10.0.0.0/8", "::1", "::ffff:10.0.0.0/104"]).prop_map(quoted));
    let scalars = [STREAM, TOXICITY, AFTER, FOR].map(|key| (key.name, option::of(written(key.kind))));
    let scalars = scalars.map(|(name, value)| value.prop_map(move |value| value.map(|value| (name, value))));
    (select(TYPES).prop_flat_map(attributes), scalars, connections, clients)
        .prop_map(|((kind, attributes), scalars, connections, clients)| {
            let selected = [("connections", connections), ("clients", clients)];
            let selected = selected.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
            let mut keys = vec![("type", quoted(kind))];
            keys.extend(scalars.into_iter().flatten().chain(selected));
            (keys, attributes)
        })
        .prop_filter("attributes that don't fit each other", |(keys, attributes)| {
            parse_toxic("it", &json_of_toxic(keys, attributes), Syntax::Json).is_ok()
        })
}

/// The attributes of a type, some of them left out.
fn attributes(kind: &'static ToxicType) -> impl Strategy<Value = (&'static str, Entries)> {
    let each: Vec<_> =
        kind.attributes.iter().map(|key| (Just(key.name), option::weighted(0.9, written(key.kind)))).collect();
    each.prop_map(|values| {
        let written = values.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
        (kind.name, written.collect())
    })
}

/// A value of that kind, as JSON writes it.
fn written(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Whole(Bounds { least, most, .. }) => {
            prop_oneof![Just(least), least..=most.min(least + 3000), least..=most].prop_map(|it| it.to_string()).boxed()
        }
        Kind::Share => (0.0..=1.0_f64).prop_map(|share| format!("{share:?}")).boxed(),
        Kind::Word(words) => select(words).prop_map(quoted).boxed(),
        Kind::Flag => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
        Kind::WholeOr(..) | Kind::Text | Kind::Texts | Kind::Nested(_) => unreachable!("it has a form of its own"),
    }
}

fn json_of_toxic(keys: &Entries, attributes: &Entries) -> String {
    let joined = |entries: &Entries| -> String {
        entries.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect::<Vec<_>>().join(", ")
    };
    format!("{{ {}, \"attributes\": {{ {} }} }}", joined(keys), joined(attributes))
}

/// Numbered, so that no two have the same name.
fn json_of_toxics(toxics: &[(Entries, Entries)]) -> String {
    let numbered = |(number, (keys, attributes)): (usize, &(Entries, Entries))| {
        let name = ("name", quoted(&number.to_string()));
        json_of_toxic(&[name].into_iter().chain(keys.clone()).collect(), attributes)
    };
    let toxics: Vec<String> = toxics.iter().enumerate().map(numbered).collect();
    format!("[{{ {ROUTE}, \"toxics\": [ {} ] }}]", toxics.join(", "))
}

/// In block style; a toxic without attributes has no such key.
fn yaml_of_toxics(toxics: &[(Entries, Entries)]) -> String {
    let lines = |entries: &Entries, indent: &str| -> String {
        entries.iter().flat_map(|(key, value)| [indent, key, ": ", value, "\n"]).collect()
    };
    let toxics = toxics.iter().enumerate().map(|(number, (keys, attributes))| {
        let attributes = match &attributes[..] {
            [] => String::new(),
            _ => format!("      attributes:\n{}", lines(attributes, "        ")),
        };
        format!("    - name: '{number}'\n{}{attributes}", lines(keys, "      "))
    });
    format!("- localPort: 8180\n  upstream: 10.0.0.1:9090\n  toxics:\n{}", toxics.collect::<String>())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// The keys of a valid route.
#[derive(Clone, Debug)]
struct Said {
    upstream: u16,
    drop_rate: Option<f64>,
    latency: Option<u32>,
    drop_mode: Option<&'static str>,
    timeout: Option<u32>,
    name: Option<String>,
}

fn route() -> impl Strategy<Value = Said> {
    let mode = option::of(select(vec!["close", "reset", "hang"]));
    let name = option::of("[a-z \u{e4}\u{1F600}#:'-]{1,9}");
    let numbers = (1_u16.., option::of(0.0..=1.0_f64), any::<Option<u32>>(), option::of(1_u32..));
    (numbers, mode, name).prop_map(|((upstream, drop_rate, latency, timeout), drop_mode, name)| Said {
        upstream,
        drop_rate,
        latency,
        drop_mode,
        timeout,
        name,
    })
}

impl Said {
    /// Each key and its value, as JSON writes it. The port makes the name unique; no listener is at the upstream's IP.
    fn keys(&self, port: u16) -> Vec<(&'static str, String)> {
        let mut keys =
            vec![("localPort", port.to_string()), ("upstream", quoted(&format!("10.0.0.1:{}", self.upstream)))];
        keys.extend(self.drop_rate.map(|rate| ("dropRate", format!("{rate:?}"))));
        keys.extend(self.latency.map(|latency| ("latencyMs", latency.to_string())));
        keys.extend(self.drop_mode.map(|mode| ("dropMode", quoted(mode))));
        keys.extend(self.timeout.map(|timeout| ("connectTimeoutMs", timeout.to_string())));
        keys.extend(self.name.as_ref().map(|name| ("name", quoted(&format!("{name} {port}")))));
        keys
    }
}

fn json_of(routes: &[Vec<(&str, String)>], seed: u64) -> String {
    let entries = |keys: &Vec<(&str, String)>| -> Vec<String> {
        keys.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect()
    };
    let routes: Vec<String> = routes.iter().map(|keys| format!("{{ {} }}", entries(keys).join(", "))).collect();
    format!("{{ \"routes\": [ {} ], \"seed\": {seed} }}", routes.join(", "))
}

/// In block style; a `'` is doubled in YAML's single quotes, and no other character of a name means anything there.
fn yaml_of(routes: &[Vec<(&str, String)>], seed: u64) -> String {
    let value = |value: &str| match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => value.to_owned(),
    };
    let entries = |keys: &Vec<(&str, String)>| -> Vec<String> {
        keys.iter().map(|(key, said)| format!("{key}: {}", value(said))).collect()
    };
    let routes: Vec<String> = routes.iter().map(|keys| format!("- {}\n", entries(keys).join("\n  "))).collect();
    format!("seed: {seed}\nroutes:\n{}", routes.concat())
}
