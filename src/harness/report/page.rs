//! What a person reads of a run or of an exploration, in any format. It is made from JSON, so that what was written earlier
//! can be shown too.

use serde_json::Value;

use super::{Verdict, chart, findings, tables};

/// What is shown.
pub(super) struct Page {
    /// Whether all is well, and that in a word.
    pub(super) verdict: (Verdict, String),
    /// Names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) tables: Vec<Table>,
    /// An SVG.
    pub(super) plots: Option<String>,
}

/// A table with its title. One without rows is left out.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) head: &'static [&'static str],
    pub(super) rows: Vec<Row>,
}

/// A row of a table.
pub(super) type Row = Vec<String>;

impl Page {
    /// The page of a run, from the JSON of its report.
    pub(super) fn of_run(report: &Value) -> Self {
        let verdict = match report["verdict"].as_str() {
            Some("pass") => (Verdict::Pass, "passed".to_owned()),
            _ => (Verdict::Fail, "failed".to_owned()),
        };
        let (facts, tables) = (tables::facts(report), tables::tables(report));
        Self { verdict, facts, tables, plots: chart::svg(report) }
    }

    /// The page of JSON of either kind. `None` if it is neither.
    pub(super) fn of_json(json: &Value) -> Option<Self> {
        if json["findings"].is_array() {
            Some(findings::page(json))
        } else {
            (json["routes"].is_object() && json["verdict"].is_string()).then(|| Self::of_run(json))
        }
    }
}

pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text or a number as a cell; nothing for what is not there.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
