//! The facts and the tables of a run, from the JSON of its report.

use std::time::Duration;

use serde_json::Value;

use super::Verdict;
use super::json::{COUNTS, read_millis};
use super::page::{Row, Table, items, text};
use crate::columns::printable;
use crate::harness::shell::command_line;
use crate::plan::{Count, Timing};
use crate::units::{bytes, duration};

/// What the run was: names and values.
pub(super) fn facts(report: &Value) -> Vec<(&'static str, String)> {
    let config = &report["config"];
    let config = config["file"].as_str().map(|file| ("config", format!("{file}, SHA-256 {}", text(&config["sha256"]))));
    let command = command(report).map(|(line, code)| ("command", format!("{line}, exit code {code}")));
    let facts = [
        ("version", text(&report["version"])),
        ("seed", text(&report["seed"])),
        ("started at", text(&report["startedAt"])),
        ("duration", time(&report["durationMs"])),
    ];
    facts.into_iter().chain(config).chain(command).collect()
}

/// The wrapped command as a line, and its exit code.
pub(super) fn command(report: &Value) -> Option<(String, i64)> {
    let argv: Vec<String> = report["command"]["argv"].as_array()?.iter().map(text).collect();
    Some((printable(&command_line(&argv)), report["command"]["exitCode"].as_i64()?))
}

/// All tables, in the order in which they are shown.
pub(super) fn tables(report: &Value) -> Vec<Table> {
    vec![
        Table { title: "Expectations", head: &["", "route", "metric", "want", "got"], rows: expectations(report) },
        Table {
            title: "Routes",
            head: &[
                "route",
                "connections",
                "dropped",
                "failed dials",
                "resets",
                "cuts",
                "faults",
                "bytes up",
                "bytes down",
            ],
            rows: entries(&report["routes"]).map(route).collect(),
        },
        Table {
            title: "Times",
            head: &["route", "time", "count", "p50", "p90", "p99", "max"],
            rows: of_routes(report, times),
        },
        Table {
            title: "Close reasons",
            head: &["route", "reason", "connections"],
            rows: of_routes(report, close_reasons),
        },
        Table {
            title: "Toxics",
            head: &["route", "toxic", "type", "connections", "times", "amount"],
            rows: of_routes(report, toxics),
        },
        Table {
            title: "Scenario",
            head: &["at", "ran at", "step"],
            rows: items(&report["scenario"]).map(step).collect(),
        },
    ]
}

fn expectations(report: &Value) -> Vec<Row> {
    let row = |it: &Value| {
        let verdict = if it["pass"] == true { Verdict::Pass } else { Verdict::Fail };
        let got = if it["got"].is_null() { &it["why"] } else { &it["got"] };
        vec![verdict.as_str().to_owned(), text(&it["route"]), text(&it["metric"]), text(&it["want"]), text(got)]
    };
    items(&report["expect"]).map(row).collect()
}

fn route((name, figures): (&str, &Value)) -> Row {
    let is_size = |count: &Count| matches!(count, Count::BytesUp | Count::BytesDown);
    let cell = |(key, count): &(&str, Count)| match figures[*key].as_u64() {
        Some(number) if is_size(count) => bytes(number),
        _ => text(&figures[*key]),
    };
    [name.to_owned()].into_iter().chain(COUNTS.iter().map(cell)).collect()
}

/// The times of which something was measured.
fn times(name: &str, figures: &Value) -> Vec<Row> {
    let row = |timing: &Timing| {
        let times = &figures[timing.as_str()];
        let title = timing.as_str().trim_end_matches("Ms").to_owned();
        let ranks = ["p50", "p90", "p99", "max"].map(|rank| time(&times[rank]));
        (times["count"] != 0).then(|| [vec![name.to_owned(), title, text(&times["count"])], ranks.to_vec()].concat())
    };
    Timing::ALL.iter().filter_map(row).collect()
}

fn close_reasons(name: &str, figures: &Value) -> Vec<Row> {
    let row = |(reason, times): (&str, &Value)| vec![name.to_owned(), reason.to_owned(), text(times)];
    entries(&figures["closeReasons"]).map(row).collect()
}

fn toxics(name: &str, figures: &Value) -> Vec<Row> {
    let row = |(toxic, acts): (&str, &Value)| {
        let [kind, connections, times] = ["type", "connections", "times"].map(|key| text(&acts[key]));
        vec![name.to_owned(), toxic.to_owned(), kind, connections, times, amount(acts)]
    };
    entries(&figures["toxics"]).map(row).collect()
}

/// The extent of what a toxic has done.
fn amount(acts: &Value) -> String {
    if let Some(count) = acts["bytes"].as_u64() {
        bytes(count)
    } else if acts["heldForever"] == true {
        "held forever".to_owned()
    } else {
        read_millis(&acts["longestDelayMs"]).map(|delay| format!("up to {}", duration(delay))).unwrap_or_default()
    }
}

fn step(step: &Value) -> Row {
    vec![text(&step["at"]), time(&step["ranAtMs"]), text(&step["step"])]
}

fn of_routes(report: &Value, rows: fn(&str, &Value) -> Vec<Row>) -> Vec<Row> {
    entries(&report["routes"]).flat_map(|(name, figures)| rows(name, figures)).collect()
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn time(millis: &Value) -> String {
    read_millis(millis).map(|time: Duration| duration(time)).unwrap_or_default()
}
