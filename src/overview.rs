//! The routes of a plan as the table that `--check` prints.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::columns::{cut, width};
use crate::plan::{DropMode, Plan, Route, RouteState};
use crate::table::{Columns, Layout, rendered};
use crate::value::{Millis, Probability};

const COLUMNS: Columns = &["name", "listen", "upstream", "state", "faults"];

/// The columns of the longest name that is shown in full.
const NAME_COLUMNS: usize = 24;

/// The columns of a row. Faults that do not fit are only counted.
const ROW_COLUMNS: usize = 100;

/// The columns of the faults, even if the row is then wider.
const FAULT_COLUMNS: usize = 30;

/// The table, what else the file sets, and the number of routes on the last line.
#[must_use]
pub fn of(plan: &Plan) -> String {
    let count = plan.routes().len();
    let table = if count == 0 { String::new() } else { table(plan.routes()) };
    let others = line("seed", plan.seed()) + &line("admin server", plan.admin());
    format!("{table}{others}ok: {count} route{}\n", if count == 1 { "" } else { "s" })
}

fn table(routes: &[Route]) -> String {
    let mut rows: Vec<Value> = routes.iter().map(row).collect();
    let [front @ .., _] = COLUMNS else { return String::new() };
    let used = rendered(front, &rows, Layout::Aligned).lines().map(width).max().unwrap_or_default() + 2;
    for (row, route) in rows.iter_mut().zip(routes) {
        row["faults"] = shortened(&faults(route), ROW_COLUMNS.saturating_sub(used).max(FAULT_COLUMNS)).into();
    }
    rendered(COLUMNS, &rows, Layout::Aligned)
}

fn line(key: &str, value: Option<impl Display>) -> String {
    value.map(|value| format!("{key} {value}\n")).unwrap_or_default()
}

fn row(route: &Route) -> Value {
    json!({
        "name": cut(route.name.as_str(), NAME_COLUMNS),
        "listen": route.written_listen(),
        "upstream": route.upstream.to_string(),
        "state": match route.state {
            RouteState::Enabled => "enabled",
            RouteState::Disabled => "disabled",
        },
    })
}

/// In the order in which they act.
fn faults(route: &Route) -> Vec<String> {
    let drop_rate = (route.drop_rate != Probability::NEVER).then(|| match route.drop_mode {
        DropMode::Close => format!("dropRate {}", route.drop_rate.get()),
        mode => format!("dropRate {} ({})", route.drop_rate.get(), mode.as_str()),
    });
    let latency =
        (route.latency != Millis::default()).then(|| format!("latencyMs {}", route.latency.duration().as_millis()));
    let toxics = route.toxics.iter().map(|toxic| toxic.name.to_string());
    drop_rate.into_iter().chain(latency).chain(toxics).collect()
}

/// As many faults as fit, and the number of the others.
fn shortened(faults: &[String], columns: usize) -> String {
    let list = |count: usize| match (faults[..count].join(", "), faults.len() - count) {
        (shown, 0) => shown,
        (shown, more) => format!("{shown} and {more} more"),
    };
    let fitting = (1..=faults.len()).rev().map(list).find(|list| width(list) <= columns);
    fitting.unwrap_or_else(|| cut(&list(faults.len()), columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Defaults, Syntax, parse};

    fn overview(text: &str) -> String {
        of(&parse("config", text, Syntax::Json, Defaults::default()).expect("valid").value)
    }

    #[test]
    fn columns_are_aligned_and_rows_fit() {
        let text = r#"{ "seed": 5, "admin": "127.0.0.1:8474", "routes": [
            { "name": "db", "localPort": 8180, "upstream": "127.0.0.1:9090", "dropRate": 0.25, "dropMode": "reset",
              "latencyMs": 100, "toxics": [{ "type": "noop" }, { "type": "noop", "name": "second" },
              { "type": "noop", "name": "third" }] },
            { "localPort": 8181, "bind": "0.0.0.0", "upstream": "[::1]:9090", "enabled": false } ] }"#;
        let expected = "\
name  listen          upstream        state     faults
db    127.0.0.1:8180  127.0.0.1:9090  enabled   dropRate 0.25 (reset), latencyMs 100 and 3 more
8181  0.0.0.0:8181    [::1]:9090      disabled  -
seed 5
admin server 127.0.0.1:8474
ok: 2 routes
";
        assert_eq!(overview(text), expected);
    }

    #[test]
    fn faults_that_do_not_fit_are_counted() {
        let list = |faults: &[&str]| shortened(&faults.iter().map(|&fault| fault.to_owned()).collect::<Vec<_>>(), 30);
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["latencyMs 100", "noop_both"]), "latencyMs 100, noop_both");
        let long = ["latency_downstream", "bandwidth_upstream", "noop", "other"];
        assert_eq!(list(&long), "latency_downstream and 3 more");
        assert_eq!(list(&["x".repeat(100).as_str()]), "x".repeat(29) + "…");
    }
}
