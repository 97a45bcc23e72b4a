//! The configs of `configs/`: each valid one loads, and what is said about each invalid one is pinned word for word in
//! `tests/expected/`. After a message was changed on purpose, `BLESS=1 cargo test --test config` writes those files
//! anew; read the difference before committing it. What holds for every text is in `config_properties`.
// Half of the examples are YAML, and so is half of what is compared.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::env;
use std::fmt::Debug;
use std::fs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chaos_proxy::config::{Defaults, Format, Report, load, parse};
use chaos_proxy::plan::{
    Aim, Bandwidth, Corrupt, Distribution, DropMode, Effect, Ending, Latency, LimitData, LimitTime, PacketLoss, Plan,
    Probability, Profile, ResetPeer, Sharing, Slicer, SlowClose, Stall, Stream, TimeoutToxic, Toxic, Window,
};

#[test]
fn every_valid_config_loads_and_every_invalid_one_is_told_as_expected() {
    for path in files("configs/valid") {
        if let Err(report) = load(&path, Defaults::default()) {
            panic!("{report}");
        }
    }
    let invalid = files("configs/invalid");
    let wrong: Vec<String> = invalid.iter().filter_map(|path| differs(path)).collect();
    assert!(wrong.is_empty(), "not as expected; BLESS=1 takes it over\n{}", wrong.join("\n"));
    let expected: BTreeSet<PathBuf> = invalid.iter().map(|path| expectation(path)).collect();
    assert_eq!(files("tests/expected"), expected, "an expectation without a config");
}

/// What is told about an invalid config, if it is not what is expected.
fn differs(path: &Path) -> Option<String> {
    let told = format!("{}\n", load(path, Defaults::default()).expect_err(&path.display().to_string()));
    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    let expected = expectation(path);
    if env::var_os("BLESS").is_some() {
        fs::write(&expected, &told).unwrap();
    }
    let same = fs::read_to_string(&expected).unwrap_or_default() == told;
    (!same).then(|| format!("{} should be:\n{told}", expected.display()))
}

#[test]
fn every_example_is_described() {
    let readme = fs::read_to_string("configs/README.md").unwrap();
    for path in files("configs/valid").union(&files("configs/invalid")) {
        let name = format!("`{}`", path.file_name().unwrap().to_str().unwrap());
        assert!(readme.contains(&name), "configs/README.md does not describe {name}");
    }
}

fn files(folder: &str) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn expectation(config: &Path) -> PathBuf {
    Path::new("tests/expected").join(format!("{}.txt", config.file_name().unwrap().to_str().unwrap()))
}

#[test]
fn every_key_reaches_the_plan() {
    let plan = load(Path::new("configs/valid/every_key.json"), Defaults::default()).unwrap();
    let [route] = plan.routes() else { panic!("one route was written") };
    assert_eq!(plan.seed(), Some(42));
    assert_eq!((route.name.as_str(), route.listen()), ("database", "127.0.0.1:8180".parse().unwrap()));
    assert_eq!(route.upstream.addr(), "127.0.0.1:5432".parse().unwrap());
    assert_eq!((route.drop_rate.get(), route.drop_mode), (0.1, DropMode::Reset));
    assert_eq!(route.latency.duration(), Duration::from_millis(50));
    assert_eq!(route.connect_timeout.duration(), Duration::from_secs(2));
}

#[test]
fn what_is_left_out_has_its_default() {
    let defaults = Defaults { bind: "127.0.0.7".parse().unwrap() };
    let plan = json(r#"[{ "localPort": 8180, "upstream": "127.0.0.1:9090" }]"#, defaults).unwrap();
    let route = &plan.routes()[0];
    assert_eq!(plan.seed(), None);
    assert_eq!((route.name.as_str(), route.bind), ("8180", defaults.bind));
    assert_eq!((route.drop_rate.get(), route.drop_mode), (0.0, DropMode::Close));
    assert_eq!((route.latency.get(), route.connect_timeout.duration()), (0, Duration::from_secs(10)));
}

#[test]
fn every_attribute_reaches_the_plan() {
    let latency = Latency::new(of(200), of(50)).unwrap();
    let latency = latency.correlated(share(0.25)).unwrap().distributed(Distribution::Normal).unwrap();
    let packet_loss = PacketLoss { loss_rate: share(0.01), correlation: share(0.5), retransmit: of(300) };
    let slicer = Slicer::new(NonZeroU32::new(64).unwrap(), 32, of(500)).unwrap();
    let plan = load(Path::new("configs/valid/toxics.json"), Defaults::default()).unwrap();
    let effects: Vec<&Effect> = plan.routes().iter().flat_map(|it| &it.toxics).map(|toxic| &toxic.effect).collect();
    let expected = [
        Effect::Latency(latency),
        Effect::Bandwidth(Bandwidth::new(of(128), 16_000, Sharing::Shared).unwrap()),
        Effect::PacketLoss(packet_loss),
        Effect::Slicer(slicer),
        Effect::LimitData(LimitData { bytes: 100_000, ending: Ending::Reset }),
        Effect::LimitTime(LimitTime { time: of(30_000), ending: Ending::Close }),
        Effect::ResetPeer(ResetPeer { timeout: of(1000) }),
        Effect::SlowClose(SlowClose { delay: of(2000) }),
        Effect::Stall(Stall { duration: of(2000) }),
        Effect::Timeout(TimeoutToxic { timeout: of(10_000) }),
        Effect::Corrupt(Corrupt { rate: share(0.0001) }),
        Effect::Noop,
    ];
    assert_eq!(effects, expected.iter().collect::<Vec<_>>());
    for kind in types() {
        assert!(effects.iter().any(|effect| effect.as_str() == kind), "configs/valid/toxics.json has no {kind}");
    }
}

#[test]
fn every_type_of_toxic_has_its_row() {
    for document in ["README.md", "configs/README.md"] {
        let text = fs::read_to_string(document).unwrap();
        let rows = text.lines().skip_while(|line| !line.starts_with("| type  ")).skip(2);
        let kinds: Vec<&str> = rows.map_while(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(kinds, types(), "{document}");
    }
}

#[test]
fn the_examples_of_the_readme_load() {
    let readme = fs::read_to_string("README.md").unwrap();
    let examples: Vec<&str> = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let failed = examples.iter().find_map(|example| json(example, Defaults::default()).err());
    assert!(failed.is_none(), "{}", failed.unwrap());
    for kind in types() {
        assert!(examples.iter().any(|example| example.contains(&format!(r#""{kind}""#))), "no example of {kind}");
    }
}

/// The types of toxics, as whoever writes another one is told.
fn types() -> Vec<String> {
    let report = json(&route_with(r#"{ "type": "?" }"#), Defaults::default()).unwrap_err();
    let (_, problem) = report.problems().next().unwrap();
    problem.hint().strip_prefix("the types of toxics are ").unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn what_a_toxic_leaves_out_has_its_default() {
    let defaults = [
        (r#""type": "latency", "attributes": { "latency": 5 }"#, Effect::Latency(Latency::new(of(5), of(0)).unwrap())),
        (
            r#""type": "bandwidth", "attributes": { "rate": 0 }"#,
            Effect::Bandwidth(Bandwidth::new(of(0), 0, Sharing::Own).unwrap()),
        ),
        (
            r#""type": "packet_loss", "attributes": { "loss_rate": 1 }"#,
            Effect::PacketLoss(PacketLoss { loss_rate: share(1.0), correlation: share(0.0), retransmit: of(200) }),
        ),
        (r#""type": "corrupt", "attributes": { "rate": 1 }"#, Effect::Corrupt(Corrupt { rate: share(1.0) })),
        (
            r#""type": "slicer", "attributes": { "average_size": 1 }"#,
            Effect::Slicer(Slicer::new(NonZeroU32::MIN, 0, of(0)).unwrap()),
        ),
        (
            r#""type": "limit_data", "attributes": { "bytes": 18446744073709551615 }"#,
            Effect::LimitData(LimitData { bytes: u64::MAX, ending: Ending::Close }),
        ),
        (
            r#""type": "limit_time", "attributes": { "time": 0 }"#,
            Effect::LimitTime(LimitTime { time: of(0), ending: Ending::Close }),
        ),
        (r#""type": "timeout""#, Effect::Timeout(TimeoutToxic { timeout: of(0) })),
        (r#""type": "stall""#, Effect::Stall(Stall { duration: of(0) })),
        (r#""type": "slow_close", "attributes": { "delay": 5 }"#, Effect::SlowClose(SlowClose { delay: of(5) })),
        (r#""type": "reset_peer""#, Effect::ResetPeer(ResetPeer { timeout: of(0) })),
        (r#""type": "noop""#, Effect::Noop),
    ];
    assert_eq!(defaults.each_ref().map(|(_, effect)| effect.as_str())[..], types());
    for (written, effect) in defaults {
        let [toxic] = &toxics(&format!("{{ {written} }}"))[..] else { panic!("one toxic was written") };
        assert_eq!(toxic.effect, effect, "{written}");
        assert_eq!((toxic.stream, toxic.toxicity, &toxic.aim), (Stream::Downstream, share(1.0), &Aim::default()));
        // The word that a config has for it, and the one that logs have.
        assert_eq!(toxic.name.as_str(), format!("{}_downstream", effect.as_str()));
    }
}

/// Also one that would change nothing if it were another value.
#[test]
fn a_default_may_be_written_down() {
    for (kind, without, with) in [
        ("latency", r#""latency": 5"#, r#""latency": 5, "jitter": 0, "correlation": 0.0, "distribution": "uniform""#),
        ("bandwidth", r#""rate": 0"#, r#""rate": 0, "burst": 0, "shared": false"#),
    ] {
        let [without, with] =
            [without, with].map(|it| toxics(&format!(r#"{{ "type": "{kind}", "attributes": {{ {it} }} }}"#)));
        assert_eq!(without, with);
    }
}

#[test]
fn a_toxic_is_aimed_as_it_says() {
    let text = r#"{ "type": "stall", "name": "pause", "stream": "both", "toxicity": 0.3, "connections": "*/3",
                    "clients": ["10.0.0.0/8", "::1"], "after": 50, "for": 10, "attributes": { "duration": 100 } }"#;
    let [toxic] = &toxics(text)[..] else { panic!("one toxic was written") };
    assert_eq!((toxic.name.as_str(), toxic.stream, toxic.toxicity), ("pause", Stream::Both, share(0.3)));
    assert_eq!(toxic.aim.window, Window { after: of(50), lasts: Some(of(10)) });
    for (number, client, meant) in [(3, "10.1.2.3", true), (6, "::1", true), (4, "::1", false), (3, "::2", false)] {
        assert_eq!(toxic.aim.takes(number, client.parse().unwrap()), meant, "{number} {client}");
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
    for (kind, key) in [("limit_time", "time"), ("timeout", "timeout"), ("reset_peer", "timeout")] {
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

#[test]
fn a_merge_key_gives_what_the_route_does_not_say() {
    let plan = load(Path::new("configs/valid/anchors.yaml"), Defaults::default()).unwrap();
    let told: Vec<_> = plan.routes().iter().map(|it| (it.port.get(), it.drop_rate.get(), it.latency.get())).collect();
    assert_eq!(told, [(8180, 0.1, 250), (8181, 0.0, 250)]);
}

#[test]
fn the_largest_values_are_taken_and_one_more_is_not() {
    let file = |seed: &str, latency: &str| {
        format!(
            r#"{{ "seed": {seed}, "routes": [
                {{ "localPort": 65535, "upstream": "127.0.0.1:65535", "bind": "127.0.0.2", "latencyMs": {latency} }} ] }}"#
        )
    };
    for format in [Format::Json, Format::Yaml] {
        let read = |seed, latency| parse("it", &file(seed, latency), format, Defaults::default());
        let plan = read("18446744073709551615", "4294967295").unwrap();
        assert_eq!((plan.seed(), plan.routes()[0].latency.get()), (Some(u64::MAX), u32::MAX));
        assert_eq!(read("18446744073709551616", "4294967296").unwrap_err().problems().len(), 2);
    }
}

#[test]
fn a_syntax_error_is_told_by_what_stands_there() {
    for (text, hint) in [
        ("[1 2]", "put a comma between the one before and this"),
        ("[1,]", "remove it: nothing follows"),
        ("[,]", "write the value that is missing before this, or remove what asks for one"),
        ("[\",]\u{1}\"]", "remove it, or write it as \\u and four digits"),
        ("[\"\t\"]", "write \\t for it"),
        ("[\"\\d\"]", "write \\\\ for a backslash"),
        ("[\"\\ud800\"]", "write the character itself instead"),
        ("[{\"a\" 1}]", "put a colon between the key and its value"),
        ("[{1: 2}]", "put the key in double quotes"),
        ("[{,}]", "write a key in double quotes here, or remove this"),
        ("[True]", "write true, false or null, all in lower case"),
        ("[+1]", "begin a number with a digit or with -"),
        ("[1.]", "write digits without leading zeros, and some on both sides of a point"),
        ("[close]", "put text in double quotes"),
        ("[] []", "put every route into one list: [ {…}, {…} ]"),
        ("[] end", "remove what stands behind the end"),
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
fn a_byte_order_mark_is_no_part_of_the_text() {
    let text = "\u{feff}[{ \"localPort\": 0, \"upstream\": \"127.0.0.1:9090\" }]";
    let report = json(text, Defaults::default()).unwrap_err();
    assert!(report.to_string().starts_with("it:1:17: error: port 0 is out of range"), "{report}");
}

#[test]
fn what_is_no_readable_file_is_named_with_its_remedy() {
    for (path, said) in [
        ("configs/nowhere.json", "error: there is no such file\n"),
        ("configs", "error: this is a directory\n"),
        ("configs/README.md/below.json", "error: the file can't be read: Not a directory"),
    ] {
        let report = load(Path::new(path), Defaults::default()).unwrap_err().to_string();
        assert!(report.starts_with(&format!("{path}: {said}")), "{report}");
        assert!(report.contains("= help: ") && report.ends_with(&format!("\n{path}: 1 problem")), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn what_never_ends_is_not_read_to_its_end() {
    let report = load(Path::new("/dev/zero"), Defaults::default()).unwrap_err().to_string();
    assert!(report.starts_with("/dev/zero: error: the file is larger than 16 MiB"), "{report}");
}

#[test]
fn sixteen_mebibytes_are_read_and_one_byte_more_is_not() {
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
fn deep_nesting_is_refused_on_a_small_stack() {
    for (format, open) in [(Format::Json, "["), (Format::Json, "{\"a\":"), (Format::Yaml, "["), (Format::Yaml, "- ")] {
        let text = open.repeat(1_000_000);
        let deep = move || parse("it", &text, format, Defaults::default()).unwrap_err().to_string();
        let report = thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
        assert!(report.len() < 2_000, "{}", report.len());
    }
    let balanced = format!("{}{}", "[".repeat(9), "]".repeat(9));
    assert!(json(&balanced, Defaults::default()).unwrap_err().to_string().contains("nested more than 8 levels deep"));
}

#[test]
fn an_alias_bomb_is_refused() {
    let level = |level: u32| {
        let below = vec![level.checked_sub(1).map_or("x".to_owned(), |below| format!("*a{below}")); 9];
        format!("a{level}: &a{level} [{}]\n", below.join(", "))
    };
    let bomb: String = (0..12).map(level).collect();
    let report = parse("it", &bomb, Format::Yaml, Defaults::default()).unwrap_err().to_string();
    assert!(report.contains("anchors and aliases make too much of this file"), "{report}");
}

/// One route per port, each feeding the next one, all in one line, with a mistake in the last.
#[test]
fn a_route_on_every_port_is_checked_in_seconds_and_a_long_line_is_not_printed() {
    let route = |port: u32| format!("{{\"localPort\":{port},\"upstream\":\"127.0.0.1:{}\"}}", port + 1);
    let routes: Vec<String> = (1..=65_535).map(route).collect();
    let text = format!("[{}]", routes.join(","));
    let start = Instant::now();
    let report = json(&text, Defaults::default()).unwrap_err().to_string();
    // A debug build takes about 2 s of one core; the square of 65,535 would take minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(report.contains("port 65536 is out of range"), "{report}");
    assert!(report.len() < 1_000, "{}", report.len());
}

#[test]
fn of_many_problems_the_first_are_printed_and_all_are_counted() {
    let text = format!("[{}]", vec!["5"; 60].join(",\n"));
    let report = json(&text, Defaults::default()).unwrap_err();
    let printed = report.to_string();
    assert_eq!(report.problems().len(), 60);
    assert_eq!(printed.matches("error: ").count(), 50);
    assert!(printed.ends_with("\nit: 60 problems, of which the first 50 are shown"), "{printed}");
}

fn json(text: &str, defaults: Defaults) -> Result<Plan, Report> {
    parse("it", text, Format::Json, defaults)
}
