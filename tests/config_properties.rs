//! What holds for every text that is given as a config: it is a plan or a report, never a panic; what a report says can
//! be found and printed; and JSON and YAML are two ways to write the same.
// Half of the examples are YAML, and so is half of what is compared.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

use chaos_proxy::config::{Defaults, Format, Report, parse};
use chaos_proxy::plan::Plan;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const FORMATS: [Format; 2] = [Format::Json, Format::Yaml];

/// No files of found failures: a failure that shrinks to a short text belongs into `tests/config.rs` by name.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_text_gives_a_plan_or_a_printable_report(text in text()) {
        for format in FORMATS {
            holds(&text, &read(&text, format))?;
        }
    }

    #[test]
    fn a_damaged_config_gives_a_plan_or_a_printable_report((text, damage) in (select(VALID), vec(damage(), 1..4))) {
        let text = damage.iter().fold(text.to_owned(), |text, damage| damage.done_to(&text));
        for format in FORMATS {
            holds(&text, &read(&text, format))?;
        }
    }

    /// Every JSON text is YAML and means the same there, down to where each value stands.
    #[test]
    fn a_tree_is_judged_the_same_in_both_formats(tree in tree()) {
        let [json, yaml] = FORMATS.map(|format| read(&tree, format));
        holds(&tree, &json)?;
        prop_assert_eq!(json.map_err(|report| report.to_string()), yaml.map_err(|report| report.to_string()));
    }

    #[test]
    fn routes_are_the_same_in_json_and_in_yaml(routes in btree_map(1_u16.., route(), 1..6), seed in any::<u64>()) {
        let json = json_of(&routes.iter().map(|(port, route)| route.keys(*port)).collect::<Vec<_>>(), seed);
        let yaml = yaml_of(&routes.iter().map(|(port, route)| route.keys(*port)).collect::<Vec<_>>(), seed);
        let plan = read(&json, Format::Json);
        prop_assert!(plan.is_ok(), "{}", plan.unwrap_err());
        prop_assert_eq!(plan, read(&yaml, Format::Yaml));
    }
}

fn read(text: &str, format: Format) -> Result<Plan, Report> {
    parse("it", text, format, Defaults::default())
}

/// A report has problems, each somewhere in the text, and prints without control characters.
fn holds(text: &str, result: &Result<Plan, Report>) -> Result<(), TestCaseError> {
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

/// Characters of all kinds, with those that mean something to the parsers far more often than by chance.
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
];

/// A stretch of characters that is replaced.
#[derive(Clone, Debug)]
struct Damage {
    at: Index,
    length: usize,
    with: String,
}

impl Damage {
    fn done_to(&self, text: &str) -> String {
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

/// A JSON text that is nearly a config: our keys and others, values of every kind, some of them right.
fn tree() -> impl Strategy<Value = String> {
    let key = select(vec!["localPort", "upstream", "dropRate", "latencyMs", "name", "bind", "dropMode", "seed", "x"]);
    let leaf = prop_oneof![
        3 => (0..70_000_i64).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (-2.0..2.0_f64).prop_map(|number| format!("{number:?}")),
        1 => select(vec!["null", "true", "false", "1e3", "1e999", "99999999999999999999", "-0.0"]).prop_map(str::to_owned),
        3 => select(vec!["127.0.0.1:9090", "[::1]:8180", "localhost:80", "close", "127.0.0.1", "8180", ""]).prop_map(quoted),
        1 => "[a-z\u{e4}\u{1F600}:/ ]{0,8}".prop_map(|text| quoted(&text)),
    ];
    let value = leaf.prop_recursive(3, 24, 4, move |inner| {
        let entry = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{}: {value}", quoted(key)));
        prop_oneof![
            1 => vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            3 => vec(entry, 0..7).prop_map(|entries| format!("{{ {} }}", entries.join(",\n  "))),
        ]
    });
    vec(value, 0..4).prop_map(|routes| format!("[\n  {}\n]\n", routes.join(",\n  ")))
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// What a route may say, in values that are all right.
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
    let mode = proptest::option::of(select(vec!["close", "reset", "hang"]));
    let name = proptest::option::of("[a-z \u{e4}\u{1F600}#:'-]{1,9}");
    let numbers = (1_u16.., proptest::option::of(0.0..=1.0_f64), any::<Option<u32>>(), proptest::option::of(1_u32..));
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
