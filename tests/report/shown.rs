//! `chaos-proxy report`: what was written as JSON, shown later.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{path, start};

const SLOW: &str = r#""toxics": [{"type": "latency", "name": "slow", "attributes": {"latency": 20}}]"#;

fn shown(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).arg("report").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    str::from_utf8(&output.stdout).unwrap()
}

/// The part from one heading to the next.
fn section<'t>(html: &'t str, title: &str) -> &'t str {
    html.split("<h2>").find(|part| part.starts_with(title)).unwrap_or_else(|| panic!("{title}: {html}"))
}

#[test]
fn a_run_is_shown_with_its_plots_and_tables() {
    let mut run = start("r.json", SLOW, r#"{"connections": 2}"#, &[]);
    run.echo(2);
    assert_eq!(run.proxy.stop(), 0);
    let report = run.report.to_str().unwrap();
    let output = shown(&[report]);
    let html = text(&output);
    assert!(
        html.starts_with("<!DOCTYPE html>")
            && html.contains("<h1>chaos-proxy: <span class=\"pass\">passed</span></h1>")
    );
    for title in ["Throughput", "Open connections", "Faults", "Added delay"] {
        assert!(section(html, "Over time").contains(&format!(">{title}</text>")), "{title}");
    }
    assert!(section(html, "Toxics").contains("<td>slow</td><td>latency</td><td>2</td>"), "{html}");
    assert!(
        section(html, "Expectations").contains("<td class=\"pass\">pass</td><td>*</td><td>connections</td>"),
        "{html}"
    );
    // A delay that was asked for is never measured as less.
    let measured = run.json()["series"]["delayMeasuredUs"].as_array().unwrap().last().unwrap().as_u64().unwrap();
    let asked = run.json()["series"]["delayAskedUs"].as_array().unwrap().last().unwrap().as_u64().unwrap();
    assert!(asked >= 40_000 && measured >= asked, "{asked} {measured}");
    let output = shown(&[report, "--format", "markdown"]);
    assert!(text(&output).contains("| db | slow | latency | 2 | "), "{}", text(&output));
}

/// The html that a run writes is made in the same way.
#[test]
fn a_run_writes_the_same_tables_as_html() {
    let mut run = start("r.html", SLOW, "", &[]);
    run.echo(1);
    assert_eq!(run.proxy.stop(), 0);
    assert!(section(&run.text(), "Toxics").contains("<td>slow</td><td>latency</td><td>1</td>"));
    assert!(section(&run.text(), "Over time").contains(">Added delay</text>"));
}

#[test]
fn the_time_after_every_second_step_is_shaded() {
    let step = |at: u64| json!({ "at": format!("{at}ms"), "ranAtMs": at, "inRunMs": at, "step": "*: cut reset" });
    let series = json!({ "atMs": [0, 5000, 10000], "bytesUp": [0, 5, 9], "open": [0, 1, 0] });
    let report =
        json!({ "verdict": "pass", "routes": {}, "scenario": [step(2000), step(4000), step(6000)], "series": series });
    let file = path(std::net::Ipv4Addr::LOCALHOST, "bands.json");
    fs::write(&file, report.to_string()).unwrap();
    let output = shown(&[file.to_str().unwrap()]);
    // In each of three plots, from 2 to 4 s and from 6 s to the end.
    assert_eq!(text(&output).matches("<rect class='b'").count(), 3 * 2);
}

#[test]
fn the_findings_of_an_exploration_are_shown() {
    let finding = json!({ "id": "db#1 after upstream 2: reset", "route": "db", "connection": 1, "stream": "upstream",
        "message": 2, "preview": "<COMMIT>", "point": "after", "fault": "reset", "outcome": "exit code 1" });
    let results = json!({ "version": "0", "durationMs": 1500, "points": 9, "planned": 9, "tried": 9,
        "findings": [finding], "notReached": ["db#1 before downstream 3: reset"] });
    let file = path(std::net::Ipv4Addr::LOCALHOST, "explored.json");
    fs::write(&file, results.to_string()).unwrap();
    let output = shown(&[file.to_str().unwrap()]);
    let html = text(&output);
    assert!(html.contains("<span class=\"fail\">1 found</span>"), "{html}");
    let row = "<td>db#1</td><td>upstream 2 &lt;COMMIT&gt;</td><td>after</td><td>reset</td><td>exit code 1</td>";
    assert!(section(html, "Findings").contains(row), "{html}");
    assert!(section(html, "Points that were not reached").contains("db#1 before downstream 3: reset"));
}

#[test]
fn what_is_no_report_is_named() {
    let file = path(std::net::Ipv4Addr::LOCALHOST, "none.json");
    for text in ["", "{", "[]", r#"{"routes": []}"#, &Value::from(1).to_string()] {
        fs::write(&file, text).unwrap();
        let output = shown(&[file.to_str().unwrap()]);
        let expected =
            format!("chaos-proxy: {}: this is not what --report FILE.json or explore --json writes\n", file.display());
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(2), expected.as_str())
        );
    }
    let output = shown(&["/no/such/file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("can't read /no/such/file: No such file or directory"));
}
