//! The findings of an exploration, from the JSON of `explore --json`.

use serde_json::Value;

use super::Verdict;
use super::json::read_millis;
use super::page::{Page, Row, Table, items, text};
use crate::units::duration;

pub(super) fn page(results: &Value) -> Page {
    let (found, unreached) = (items(&results["findings"]).count(), items(&results["notReached"]).count());
    let verdict = match found {
        0 => (Verdict::Pass, "nothing found".to_owned()),
        found => (Verdict::Fail, format!("{found} found")),
    };
    let duration = read_millis(&results["durationMs"]).map(|time| ("duration", duration(time)));
    let facts = [
        ("version", text(&results["version"])),
        ("points", text(&results["points"])),
        ("tried", text(&results["tried"])),
        ("found", found.to_string()),
        ("not reached", unreached.to_string()),
    ];
    let tables = vec![
        Table {
            title: "Findings",
            head: &["connection", "message", "point", "fault", "outcome"],
            rows: items(&results["findings"]).map(finding).collect(),
        },
        Table {
            title: "Points that were not reached",
            head: &["point"],
            rows: items(&results["notReached"]).map(|point| vec![text(point)]).collect(),
        },
    ];
    Page { verdict, facts: facts.into_iter().chain(duration).collect(), tables, plots: None }
}

/// A fault of the connection as a whole is at no message.
fn finding(finding: &Value) -> Row {
    let [route, connection, stream, message, preview] =
        ["route", "connection", "stream", "message", "preview"].map(|key| text(&finding[key]));
    let message = format!("{stream} {message} {preview}").trim().to_owned();
    vec![
        format!("{route}#{connection}"),
        message,
        text(&finding["point"]),
        text(&finding["fault"]),
        text(&finding["outcome"]),
    ]
}
