//! The alerts and the dashboard: their expressions are valid, and their metrics are those of the reference.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::skipped;

const DASHBOARD: &str = "configs/grafana/dashboard.json";
const ALERTS: &str = "configs/prometheus/alerts.yaml";

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap()
}

/// Each panel with its expressions.
fn panels() -> Vec<(String, Vec<String>)> {
    let of_panel = |panel: &Value| {
        let expressions = panel["targets"].as_array().unwrap().iter().map(|it| it["expr"].as_str().unwrap().to_owned());
        (panel["title"].as_str().unwrap().to_owned(), expressions.collect())
    };
    dashboard()["panels"].as_array().unwrap().iter().map(of_panel).collect()
}

fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("chaos_proxy_")).map(|word| word.trim_end_matches("_bucket")).collect()
}

/// Runs promtool, unless it is not installed.
fn promtool(arguments: &[&str]) {
    let Ok(output) = Command::new("promtool").args(arguments).output() else {
        return skipped("promtool is not installed");
    };
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{arguments:?}: {printed}");
}

#[test]
fn alerts_are_valid_and_fire_when_they_should() {
    promtool(&["check", "rules", ALERTS]);
    promtool(&["test", "rules", "configs/prometheus/alerts.test.yaml"]);
}

/// promtool checks the expressions of rules only.
#[test]
fn expressions_of_the_dashboard_are_valid() {
    let replaced = |expression: &String| expression.replace("$__rate_interval", "1m").replace("$route", ".*");
    let rules: String = panels()
        .iter()
        .flat_map(|(_, expressions)| expressions)
        .enumerate()
        .flat_map(|(number, it)| [format!("  - record: panel:{number}\n"), format!("    expr: {:?}\n", replaced(it))])
        .collect();
    let path = env::temp_dir().join(format!("chaos-proxy-panels-{}.yaml", std::process::id()));
    fs::write(&path, format!("groups:\n- name: panels\n  rules:\n{rules}")).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
}

#[test]
fn each_metric_is_one_of_the_reference_and_most_are_shown() {
    let (reference, alerts) = (fs::read_to_string("configs/README.md").unwrap(), fs::read_to_string(ALERTS).unwrap());
    let section = reference.split("\n### Metrics\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let known = metrics_in(section);
    let text = fs::read_to_string(DASHBOARD).unwrap();
    let (shown, alerted) = (metrics_in(&text), metrics_in(&alerts));
    assert!(shown.is_subset(&known), "{:?}", shown.difference(&known));
    assert!(alerted.is_subset(&known), "{:?}", alerted.difference(&known));
    let missing: Vec<_> = known.iter().filter(|it| !shown.contains(*it) && !alerted.contains(*it)).collect();
    assert_eq!(missing, [&"chaos_proxy_build_info", &"chaos_proxy_received_bytes_total"]);
}

#[test]
fn panels_do_not_overlap_and_have_titles() {
    let (dashboard, mut cells) = (dashboard(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(!panel["title"].as_str().unwrap().is_empty());
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + width <= 24, "{panel}");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{} overlaps", panel["title"]);
        }
    }
}
