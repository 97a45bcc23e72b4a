//! Each format has the figures, and can be read by what reads it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use quick_junit::{Report, TestCaseStatus};
use serde_json::Value;

use super::{NO_KEYS, Run, json_schema, path, start};

const EXPECT: &str = r#"{"route": "db", "connections": 2, "dialMsP50": "< 0"}, {"delayAskedMsP50": "> 1"}"#;
const TOXIC: &str = r#""toxics": [{"type": "corrupt", "name": "<b> & |", "attributes": {"rate": 0.5}}]"#;

/// Two connections, one expectation that holds, one that fails, and one that can't be judged.
fn ended(name: &str, args: &[&str]) -> Run {
    let mut run = start(name, TOXIC, EXPECT, args);
    for _ in 0..2 {
        let mut client = run.proxy.connect();
        std::io::Write::write_all(&mut client, &[0; 1000]).unwrap();
        std::io::Read::read_exact(&mut client, &mut [0; 1000]).unwrap();
    }
    run.proxy.logged(&["connection closed", "conn=2 "]);
    assert_eq!(run.proxy.stop(), 4);
    run
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string("configs/report.schema.json").unwrap()).unwrap()
}

#[test]
fn the_schema_describes_the_json() {
    let report = ended("r.json", &[]).json();
    assert!(json_schema::accepts(&schema(), &report), "{report:#}");
    for key in report.as_object().unwrap().keys() {
        let mut less = report.clone();
        less.as_object_mut().unwrap().remove(key);
        assert!(!json_schema::accepts(&schema(), &less), "{key} may be missing");
    }
    let mut more = report.clone();
    more["routes"]["db"]["another"] = Value::from(1);
    assert!(!json_schema::accepts(&schema(), &more));
}

/// The digest is that of coreutils.
#[test]
fn the_config_is_identified() {
    let run = ended("r.json", &[]);
    let config = &run.json()["config"];
    let output = Command::new("sha256sum").arg(config["file"].as_str().unwrap()).output().unwrap();
    let sum = String::from_utf8(output.stdout).unwrap();
    assert_eq!(config["sha256"].as_str(), sum.split(' ').next());
}

#[test]
fn the_reference_names_every_key_of_the_report() {
    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        let nested = value.get("$defs").and_then(Value::as_object).into_iter().flat_map(|map| map.values());
        nested.for_each(|value| keys(value, found));
    }
    let (reference, mut found) = (fs::read_to_string("configs/README.md").unwrap(), BTreeSet::new());
    keys(&schema(), &mut found);
    let missing: Vec<_> = found.iter().filter(|key| !reference.contains(&format!("`{key}`"))).collect();
    assert!(found.len() > 30 && missing.is_empty(), "{missing:?}");
}

#[test]
fn junit_has_a_case_for_each_condition() {
    let report = Report::deserialize_from_str(&ended("r.xml", &[]).text()).unwrap();
    let [suite] = &report.test_suites[..] else { panic!("one suite") };
    let cases: Vec<_> = suite.test_cases.iter().map(|case| (case.name.as_str(), failure(&case.status))).collect();
    let [met, failed, missing] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!(*met, ("connections == 2", None));
    assert!(failed.0 == "dialMsP50 < 0" && failed.1.as_ref().unwrap().starts_with("wanted < 0, got 0."), "{failed:?}");
    assert_eq!(*missing, ("delayAskedMsP50 > 1", Some("wanted > 1, but nothing was measured".to_owned())));
    assert!(suite.properties.iter().any(|it| it.name.as_str() == "seed" && it.value.as_str() == "5"));
}

fn failure(status: &TestCaseStatus) -> Option<String> {
    match status {
        TestCaseStatus::NonSuccess { message, .. } => message.as_ref().map(|it| it.as_str().to_owned()),
        _ => None,
    }
}

#[test]
fn markdown_has_tables_without_broken_cells() {
    let text = ended("r.md", &[]).text();
    assert!(text.starts_with("# chaos-proxy: failed\n"), "{text}");
    assert!(text.contains("| db | \\<b\\> & \\| | corrupt | 2 | "), "{text}");
    for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
        let columns: BTreeSet<usize> =
            table.trim_end().lines().map(|line| line.replace("\\|", "").matches('|').count()).collect();
        assert_eq!(columns.len(), 1, "{table}");
    }
}

/// One file, without scripts, that loads nothing. The name of the namespace of SVG is no address to load from.
#[test]
fn html_is_self_contained() {
    let text = ended("r.txt", &["--report-format", "html"]).text();
    assert!(text.starts_with("<!DOCTYPE html>"));
    let rest = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for load in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<object"] {
        assert!(!rest.contains(load), "{load}");
    }
    for part in
        ["Throughput", "Open connections", "Faults", "&lt;b&gt; &amp; |", "prefers-color-scheme:dark", "@media print"]
    {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(!text.contains("<b>"));
    assert_eq!(text.matches("<polyline").count(), 4);
    assert_eq!(unclosed(&text), [""; 0]);
}

/// The elements without an end.
fn unclosed(text: &str) -> Vec<&str> {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        match tag {
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{tag}"),
            _ if tag.ends_with('/') || tag.starts_with('!') || name == "meta" => {}
            _ => open.push(name),
        }
    }
    open
}

#[test]
fn every_format_of_a_run_without_connections_can_be_written() {
    for (name, part) in
        [("r.json", "\"verdict\": \"pass\""), ("r.xml", "<testsuite "), ("r.md", "passed"), ("r.html", "passed")]
    {
        let mut run = start(name, NO_KEYS, "", &[]);
        assert_eq!(run.proxy.stop(), 0);
        assert!(run.text().contains(part), "{name}");
    }
}

/// XML can't have control characters at all, and Markdown no line ends in a list.
#[test]
fn control_characters_of_a_command_are_escaped() {
    let target = path(std::net::Ipv4Addr::LOCALHOST, "escaped");
    for format in ["json", "junit", "markdown", "html"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.args(["--quiet", "--listen", "auto", "--upstream", "127.0.0.1:9", "--report-format", format]);
        command.arg("--report").arg(&target).args(["--", "sh", "-c", "exit 3 # \u{1}\u{1b}[31m<&>\"\n-"]);
        assert_eq!(command.status().unwrap().code(), Some(3));
        let text = fs::read_to_string(&target).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        assert!(!text.contains("\n-'"), "{text}");
        if format == "junit" {
            let report = Report::deserialize_from_str(&text).unwrap();
            let case = &report.test_suites[0].test_cases[0];
            assert!(case.name.as_str().contains("[31m<&>\"") && failure(&case.status).is_some(), "{text}");
        }
    }
}
