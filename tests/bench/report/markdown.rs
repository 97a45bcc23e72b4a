//! The tables, in Markdown.

use crate::machine::Machine;
use crate::options::Options;
use crate::results::{DIRECT, OURS, Readings, Results, Row};

pub fn markdown(machine: &Machine, options: &Options, results: &Results) -> String {
    let (compared, ours_only): (Vec<&Row>, Vec<&Row>) = results.rows.iter().partition(|row| is_compared(row, results));
    let all: Vec<usize> = (0..results.targets.len()).collect();
    let all_but = |one: usize| all.iter().copied().filter(|target| *target != one).collect::<Vec<usize>>();
    let medians = |row: &Row, target: usize| row.cells.get(&target).map(with_spread);
    let to_direct = |row: &Row, target: usize| row.ratio(target, DIRECT).map(multiple);
    let ours_to_each = |row: &Row, target: usize| row.ratio(OURS, target).map(multiple);
    let head = format!("{machine}.\nMedians of {} interleaved rounds (min to max).\n", options.effort.rounds);
    [
        head,
        table("Side by side", results, &compared, &all, medians),
        table("Each as a multiple of direct", results, &compared, &all_but(DIRECT), to_direct),
        table("chaos-proxy as a multiple of each", results, &compared, &all_but(OURS), ours_to_each),
        table("chaos-proxy alone", results, &ours_only, &[OURS], medians),
        failures(results),
    ]
    .concat()
}

/// Whether another target has figures in this scenario too.
fn is_compared(row: &Row, results: &Results) -> bool {
    let same = results.rows.iter().filter(|other| other.scenario == row.scenario);
    same.flat_map(|row| row.cells.keys()).any(|target| *target != OURS)
}

/// Leaves out rows without a cell; empty if no row is left.
fn table(
    title: &str,
    results: &Results,
    rows: &[&Row],
    targets: &[usize],
    cell: impl Fn(&Row, usize) -> Option<String>,
) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let cells: Vec<Option<String>> = targets.iter().map(|target| cell(row, *target)).collect();
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
            lines.push(format!("| {} | {} |\n", row.title(), cells.join(" | ")));
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = targets.iter().map(|target| results.targets[*target].as_str()).collect();
    let rule = "---:|".repeat(names.len());
    format!("\n| {title} | {} |\n|---|{rule}\n{}", names.join(" | "), lines.concat())
}

fn with_spread(readings: &Readings) -> String {
    let [median, min, max] = [readings.median(), readings.min(), readings.max()].map(number);
    format!("{median} ({min} to {max})")
}

fn multiple(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// Three significant digits, or every digit before the point if there are more.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Lists the same failure of several rounds once.
fn failures(results: &Results) -> String {
    let mut lines: Vec<String> = Vec::new();
    for failure in &results.failures {
        let line =
            format!("- {} failed in {}: {}\n", results.targets[failure.target], failure.scenario, failure.reason);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}
