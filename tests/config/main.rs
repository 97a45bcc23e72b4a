//! Tests of config parsing. Every file in `configs/valid` loads, and `tests/expected` pins the report for every file in
//! `configs/invalid`. After an intended change of a message, `BLESS=1 cargo test --test config` rewrites the expected
//! files; review the diff before you commit it. Tests of toxics are in `toxics`, of
//! tables in `documents`, of the JSON Schema in `schema`, properties in `config_properties`.
// Half of the examples are YAML.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod documents;
#[path = "../json_schema/mod.rs"]
mod json_schema;
mod schema;
mod toxics;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chaos_proxy::config::{self, Defaults, EmptyList, HostNames, Lookup, Report, Syntax, parse_route, parse_toxic};
use chaos_proxy::plan::keys::{FILE, ROUTE, SCENARIO_OBJECT, SETTABLE, STEP, TOXIPROXY_ROUTE, expectation};
use chaos_proxy::plan::{DropMode, Plan, PortChoice, RouteState, keep_auto_ports, plan_differences};
use chaos_proxy::toxic::keys::TOXIC;

#[test]
fn valid_configs_load_and_invalid_ones_give_the_expected_report() {
    for path in files("configs/valid") {
        if let Err(report) = load(&path, Defaults::default()) {
            panic!("{report}");
        }
    }
    let invalid = files("configs/invalid");
    let differences: Vec<String> = invalid.iter().filter_map(|path| difference(path)).collect();
    assert!(
        differences.is_empty(),
        "reports differ from the expected files; BLESS=1 rewrites them\n{}",
        differences.join("\n")
    );
    let expected: BTreeSet<PathBuf> = invalid.iter().map(|path| expected_file(path)).collect();
    assert_eq!(files("tests/expected"), expected, "an expected file without a config");
}

/// The report of an invalid config, if it differs from the expected file.
fn difference(path: &Path) -> Option<String> {
    let printed = format!("{}\n", load(path, Defaults::default()).expect_err(&path.display().to_string()));
    assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
    let expected = expected_file(path);
    if env::var_os("BLESS").is_some() {
        fs::write(&expected, &printed).unwrap();
    }
    let same = fs::read_to_string(&expected).unwrap_or_default() == printed;
    (!same).then(|| format!("{} should be:\n{printed}", expected.display()))
}

#[test]
fn readme_of_configs_describes_every_example() {
    let readme = fs::read_to_string("configs/README.md").unwrap();
    for path in files("configs/valid").union(&files("configs/invalid")) {
        let name = format!("`{}`", path.file_name().unwrap().to_str().unwrap());
        assert!(readme.contains(&name), "configs/README.md does not describe {name}");
    }
}

fn files(folder: &str) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn expected_file(config: &Path) -> PathBuf {
    Path::new("tests/expected").join(format!("{}.txt", config.file_name().unwrap().to_str().unwrap()))
}

#[test]
fn every_key_reaches_the_plan() {
    let plan = load(Path::new("configs/valid/every_key.json"), Defaults::default()).unwrap();
    let [route] = plan.routes() else { panic!("one route was written") };
    let [expectation] = plan.expectations() else { panic!("one expectation was written") };
    assert_eq!((expectation.scope.to_string(), expectation.conditions.len()), ("database".to_owned(), 2));
    assert_eq!((plan.seed(), plan.admin()), (Some(42), Some("127.0.0.1:8474".parse().unwrap())));
    assert_eq!((route.name.as_str(), route.listen()), ("database", "127.0.0.1:8180".parse().unwrap()));
    assert_eq!(route.upstream.to_string(), "127.0.0.1:5432");
    assert_eq!((route.drop_rate.get(), route.drop_mode), (0.1, DropMode::Reset));
    assert_eq!(route.latency.duration(), Duration::from_millis(50));
    assert_eq!(route.connect_timeout.duration(), Duration::from_secs(2));
    assert_eq!(route.state, RouteState::Enabled);
}

#[test]
fn a_disabled_route_occupies_no_port() {
    let routes = r#"[{ "name": "a", "localPort": 1, "upstream": "127.0.0.1:1", "enabled": false },
                     { "name": "b", "localPort": 1, "upstream": "127.0.0.1:2" }]"#;
    let plan = json(routes, Defaults::default()).unwrap();
    assert_eq!(plan.routes()[0].state, RouteState::Disabled);
    let report = json(&routes.replace("false", "true"), Defaults::default()).unwrap_err();
    assert_eq!(report.problems().len(), 2, "{report}");
}

#[test]
fn every_valid_config_is_written_as_it_is_read() {
    for path in files("configs/valid") {
        let plan = load(&path, Defaults::default()).unwrap();
        let written = serde_json::to_string(&plan).unwrap();
        let again = json(&written, Defaults::default()).unwrap();
        // Ports that the system chooses differ each time.
        let routes = keep_auto_ports(again.routes().to_vec(), plan.routes());
        assert_eq!(routes, plan.routes(), "{path:?}");
        let others = |plan: &Plan| (plan.seed(), plan.admin(), plan.scenario().clone());
        assert_eq!(others(&again), others(&plan), "{path:?}");
    }
}

/// They can't be known before, and differ from those of the upstreams.
#[test]
fn ports_are_chosen_for_routes_that_leave_them_to_the_system() {
    let text = r#"[{ "name": "a", "localPort": "auto", "upstream": "127.0.0.1:9090" },
                   { "name": "b", "localPort": "auto", "upstream": "127.0.0.1:9090", "bind": "127.0.0.2" }]"#;
    let plan = json(text, Defaults::default()).unwrap();
    let [one, other] = plan.routes() else { panic!("two routes") };
    assert!(one.port != other.port && one.port_choice == PortChoice::Auto);
    assert_eq!(serde_json::to_value(one).unwrap()["localPort"], "auto");
    assert_eq!(plan_differences(&plan, &json(text, Defaults::default()).unwrap()), []);
    let elsewhere = json(&text.replace("127.0.0.2", "192.0.2.1"), Defaults::default()).unwrap_err().to_string();
    assert!(elsewhere.contains("error: no port of 192.0.2.1 can be chosen: "), "{elsewhere}");
}

#[test]
fn a_route_and_a_toxic_are_parsed_alone() {
    let route = |text| parse_route("it", text, Syntax::Json, Defaults::default()).map(|resolved| resolved.value);
    assert_eq!(route(r#"{ "localPort": 1, "upstream": "127.0.0.1:2" }"#).unwrap().name.as_str(), "1");
    let circle = route(r#"{ "localPort": 1, "upstream": "127.0.0.1:1" }"#).unwrap_err().to_string();
    assert!(circle.starts_with("it:1:31: error: route `1` is its own upstream\n"), "{circle}");
    assert_eq!(route(r#"{ "localPort": 0, "upstream": "", "x": 1 }"#).unwrap_err().problems().len(), 3);
    let toxic = |text| parse_toxic("it", text, Syntax::Json);
    assert_eq!(toxic(r#"{ "type": "timeout" }"#).unwrap().name.as_str(), "timeout_downstream");
    assert_eq!(toxic(r#"{ "type": "latency", "name": "", "x": 1 }"#).unwrap_err().problems().len(), 3);
}

#[test]
fn the_keys_that_are_read_are_those_that_are_declared() {
    let scenario = |scenario: &str| {
        format!(r#"{{ "routes": [{{ "localPort": 1, "upstream": "127.0.0.1:2" }}], "scenario": {scenario} }}"#)
    };
    for (text, declared) in [
        (&*scenario(r#"{ "zzz": 1, "repeat": "1s", "steps": [{ "at": "0s", "up": true }] }"#), SCENARIO_OBJECT),
        (&*scenario(r#"[{ "zzz": 1, "at": "0s", "up": true }]"#), STEP),
        (&*scenario(r#"[{ "at": "0s", "set": { "zzz": 1 } }]"#), SETTABLE),
        (r#"{ "zzz": 1, "routes": [{ "localPort": 1, "upstream": "127.0.0.1:2" }] }"#, FILE),
        (r#"[{ "zzz": 1, "localPort": 1, "upstream": "127.0.0.1:2" }]"#, ROUTE),
        (r#"[{ "zzz": 1, "listen": "127.0.0.1:1", "upstream": "127.0.0.1:2" }]"#, TOXIPROXY_ROUTE),
        (r#"[{ "localPort": 1, "upstream": "127.0.0.1:2", "toxics": [{ "zzz": 1, "type": "noop" }] }]"#, TOXIC),
        (r#"{ "expect": [{ "zzz": 1 }], "routes": [{ "localPort": 1, "upstream": "127.0.0.1:2" }] }"#, &expectation()),
    ] {
        let report = json(text, Defaults::default()).unwrap_err();
        let (_, problem) = report.problems().next().unwrap();
        let read: BTreeSet<&str> = problem.hint().strip_prefix("the keys are ").unwrap().split(", ").collect();
        assert_eq!(read, declared.iter().map(|key| key.name).collect());
    }
}

#[test]
fn missing_keys_have_defaults() {
    let defaults = Defaults { bind: "127.0.0.7".parse().unwrap(), ..Defaults::default() };
    let plan = json(r#"[{ "localPort": 8180, "upstream": "127.0.0.1:9090" }]"#, defaults).unwrap();
    let route = &plan.routes()[0];
    assert_eq!(plan.seed(), None);
    assert_eq!((route.name.as_str(), route.bind), ("8180", defaults.bind));
    assert_eq!((route.drop_rate.get(), route.drop_mode), (0.0, DropMode::Close));
    assert_eq!((route.latency.get(), route.connect_timeout.duration()), (0, Duration::from_secs(10)));
}

#[test]
fn a_list_of_routes_may_be_empty_where_routes_can_be_added() {
    let allowed = Defaults { empty_list: EmptyList::Allowed, ..Defaults::default() };
    assert!(json("[]", allowed).unwrap().routes().is_empty());
    assert!(json(r#"{ "routes": [] }"#, allowed).is_ok());
    let admin = |address: &str| json(&format!(r#"{{ "routes": [], "admin": "{address}" }}"#), Defaults::default());
    assert_eq!(admin("localhost:1").unwrap().admin(), Some("127.0.0.1:1".parse().unwrap()));
    assert_eq!(admin("").unwrap_err().problems().len(), 1);
}

#[test]
fn reads_the_format_of_toxiproxy_and_writes_its_own() {
    let plan = load(Path::new("configs/valid/toxiproxy.json"), Defaults::default()).unwrap();
    let listens: Vec<_> = plan.routes().iter().map(|route| (route.name.as_str(), route.listen().to_string())).collect();
    let listens: Vec<_> = listens.iter().map(|(name, listen)| (*name, listen.as_str())).collect();
    assert_eq!(listens, [("web", "127.0.0.1:8180"), ("redis", "[::]:8181"), ("flaky", "127.0.0.1:8182")]);
    assert_eq!(plan.routes()[1].state, RouteState::Disabled);
    let written = serde_json::to_value(&plan).unwrap();
    assert_eq!((&written["routes"][1]["localPort"], &written["routes"][1]["bind"]), (&8181.into(), &"::".into()));
}

/// `localhost` is in every hosts file, and `.invalid` in no zone (RFC 6761).
#[test]
fn host_names_are_resolved_once_if_this_is_allowed() {
    let text = r#"[{ "localPort": 1, "upstream": "localhost:2" }, { "localPort": 2, "upstream": "localhost:3" }]"#;
    let read = |text: &str, host_names| {
        config::parse("config", text, Syntax::Json, Defaults { host_names, ..Defaults::default() })
    };
    let resolved = read(text, HostNames::Resolved).unwrap();
    let [Lookup { host, ip }] = &resolved.lookups[..] else { panic!("{resolved:?}") };
    assert!(host == "localhost" && ip.is_loopback());
    assert_eq!(resolved.value.routes()[1].upstream.addr(), Some((*ip, 3).into()));
    assert_eq!(read(text, HostNames::Localhost).unwrap().lookups, []);
    let unknown = text.replace("localhost", "db.invalid");
    let problems = read(&unknown, HostNames::Resolved).unwrap_err().to_string();
    assert!(problems.contains("config:1:32: error: `db.invalid` can't be resolved: "), "{problems}");
    for host_names in [HostNames::Rejected, HostNames::Localhost] {
        assert!(read(&unknown, host_names).unwrap_err().to_string().contains("--resolve"));
    }
    let circle = read(&text.replace(":2", ":1"), HostNames::Resolved).unwrap_err();
    assert!(circle.to_string().contains("its own upstream"), "{circle}");
}

#[test]
fn merge_key_fills_in_missing_keys() {
    let plan = load(Path::new("configs/valid/anchors.yaml"), Defaults::default()).unwrap();
    let values: Vec<_> =
        plan.routes().iter().map(|route| (route.port.get(), route.drop_rate.get(), route.latency.get())).collect();
    assert_eq!(values, [(8180, 0.1, 250), (8181, 0.0, 250)]);
}

#[test]
fn accepts_the_largest_values_and_rejects_larger_ones() {
    let file = |seed: &str, latency: &str| {
        format!(
            r#"{{ "seed": {seed}, "routes": [
                {{ "localPort": 65535, "upstream": "127.0.0.1:65535", "bind": "127.0.0.2", "latencyMs": {latency} }} ] }}"#
        )
    };
    for syntax in [Syntax::Json, Syntax::Yaml] {
        let read = |seed, latency| parse("config", &file(seed, latency), syntax, Defaults::default());
        let plan = read("18446744073709551615", "4294967295").unwrap();
        assert_eq!((plan.seed(), plan.routes()[0].latency.get()), (Some(u64::MAX), u32::MAX));
        assert_eq!(read("18446744073709551616", "4294967296").unwrap_err().problems().len(), 2);
    }
}

#[test]
fn syntax_errors_suggest_a_fix() {
    for (text, hint) in [
        ("[1 2]", "put a comma before this"),
        ("[1,]", "remove it"),
        ("[,]", "a value is missing before this: add it, or remove the comma or key that needs it"),
        ("[\",]\u{1}\"]", "remove it, or write it as \\u and four digits"),
        ("[\"\t\"]", "write \\t for it"),
        ("[\"\\d\"]", "write \\\\ for a backslash"),
        ("[\"\\ud800\"]", "write the character itself instead"),
        ("[{\"a\" 1}]", "put a colon between the key and its value"),
        ("[{1: 2}]", "put the key in double quotes"),
        ("[{,}]", "write a key in double quotes here, or remove this"),
        ("[True]", "write true, false or null, all in lower case"),
        ("[+1]", "begin a number with a digit or with -"),
        ("[1.]", "write digits without leading zeros, and on both sides of a decimal point"),
        ("[close]", "put text in double quotes"),
        ("[] []", "put every route into one list: [ {…}, {…} ]"),
        ("[] end", "remove what follows the end"),
        ("[\"a", "close it with `\"`"),
        ("[", "close it with `]`"),
        ("localPort: 8180", "begin with [ and the first route; if this is YAML, name the file .yaml"),
    ] {
        let report = json(text, Defaults::default()).unwrap_err();
        let hints: Vec<&str> = report.problems().map(|(_, problem)| problem.hint()).collect();
        assert_eq!(hints, [hint], "{text}\n{report}");
    }
}

#[test]
fn byte_order_mark_is_ignored() {
    let text = "\u{feff}[{ \"localPort\": 0, \"upstream\": \"127.0.0.1:9090\" }]";
    let report = json(text, Defaults::default()).unwrap_err();
    assert!(report.to_string().starts_with("config:1:17: error: port 0 is out of range"), "{report}");
}

#[test]
fn unreadable_file_is_reported_with_a_fix() {
    for (path, message) in [
        ("configs/nowhere.json", "error: there is no such file\n"),
        ("configs", "error: this is a directory\n"),
        ("configs/README.md/below.json", "error: the file can't be read: Not a directory"),
    ] {
        let report = load(Path::new(path), Defaults::default()).unwrap_err().to_string();
        assert!(report.starts_with(&format!("{path}: {message}")), "{report}");
        assert!(report.contains("= help: ") && report.ends_with(&format!("\n{path}: 1 problem")), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn endless_device_is_rejected() {
    let report = load(Path::new("/dev/zero"), Defaults::default()).unwrap_err().to_string();
    assert!(report.starts_with("/dev/zero: error: the file is larger than 16 MiB"), "{report}");
}

#[test]
fn accepts_16_mib_and_rejects_one_byte_more() {
    let path = env::temp_dir().join(format!("chaos-proxy-{}.json", std::process::id()));
    let mut text = b"[{ \"localPort\": 8180, \"upstream\": \"127.0.0.1:9090\" }]".to_vec();
    text.resize(16 << 20, b'\n');
    fs::write(&path, &text).unwrap();
    let full = load(&path, Defaults::default());
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\n").unwrap();
    let beyond = load(&path, Defaults::default());
    fs::remove_file(&path).unwrap();
    assert!(full.is_ok());
    assert!(beyond.unwrap_err().to_string().contains("larger than 16 MiB"));
}

#[test]
fn rejects_deep_nesting_on_a_small_stack() {
    for (syntax, open) in [(Syntax::Json, "["), (Syntax::Json, "{\"a\":"), (Syntax::Yaml, "["), (Syntax::Yaml, "- ")] {
        let text = open.repeat(1_000_000);
        let deep = move || parse("config", &text, syntax, Defaults::default()).unwrap_err().to_string();
        let report = thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
        assert!(report.len() < 2_000, "{}", report.len());
    }
    let balanced = format!("{}{}", "[".repeat(9), "]".repeat(9));
    assert!(json(&balanced, Defaults::default()).unwrap_err().to_string().contains("nested more than 8 levels deep"));
}

#[test]
fn rejects_an_alias_bomb() {
    let level = |level: u32| {
        let below = vec![level.checked_sub(1).map_or("x".to_owned(), |below| format!("*a{below}")); 9];
        format!("a{level}: &a{level} [{}]\n", below.join(", "))
    };
    let bomb: String = (0..12).map(level).collect();
    let report = parse("config", &bomb, Syntax::Yaml, Defaults::default()).unwrap_err().to_string();
    assert!(report.contains("aliases expand to too many values"), "{report}");
}

/// One route per port, each with the next one as its upstream, all on one line, with an error in the last.
#[test]
fn checks_a_route_on_every_port_in_linear_time() {
    let route = |port: u32| format!("{{\"localPort\":{port},\"upstream\":\"127.0.0.1:{}\"}}", port + 1);
    let routes: Vec<String> = (1..=65_535).map(route).collect();
    let text = format!("[{}]", routes.join(","));
    let start = Instant::now();
    let report = json(&text, Defaults::default()).unwrap_err().to_string();
    // A debug build takes about 2 s on one core. Quadratic time would take minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(report.contains("port 65536 is out of range"), "{report}");
    assert!(report.len() < 1_000, "{}", report.len());
}

#[test]
fn report_prints_50_problems_and_counts_all() {
    let text = format!("[{}]", vec!["5"; 60].join(",\n"));
    let report = json(&text, Defaults::default()).unwrap_err();
    let printed = report.to_string();
    assert_eq!(report.problems().len(), 60);
    assert_eq!(printed.matches("error: ").count(), 50);
    assert!(printed.ends_with("\nconfig: 60 problems, of which the first 50 are shown"), "{printed}");
}

fn load(path: &Path, defaults: Defaults) -> Result<Plan, Report> {
    config::load(path, defaults).map(|resolved| resolved.value)
}

fn parse(name: &str, text: &str, syntax: Syntax, defaults: Defaults) -> Result<Plan, Report> {
    config::parse(name, text, syntax, defaults).map(|resolved| resolved.value)
}

fn json(text: &str, defaults: Defaults) -> Result<Plan, Report> {
    parse("config", text, Syntax::Json, defaults)
}
