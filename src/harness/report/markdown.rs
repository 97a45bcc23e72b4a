//! The report as Markdown, for the summaries of CI jobs.

use super::{Report, Verdict};
use crate::columns::printable;
use crate::harness::figures::{Figures, ranked};
use crate::harness::shell::command_line;
use crate::plan::{Count, Judgement, Rank, Timing};
use crate::toxic::{Amount, NEVER};
use crate::units::{bytes, duration};

pub(super) fn text(report: &Report) -> String {
    let verdict = match report.verdict() {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
    };
    let parts = [
        format!("# chaos-proxy: {verdict}\n\n{}", facts(report)),
        section("Expectations", &EXPECTATIONS, expectations(report)),
        section("Routes", &ROUTES, routes(report)),
        section("Times", &TIMES, times(report)),
        section("Close reasons", &["route", "reason", "connections"], close_reasons(report)),
        section("Toxics", &TOXICS, toxics(report)),
        section("Scenario", &["at", "ran at", "step"], steps(report)),
    ];
    parts.concat()
}

fn facts(report: &Report) -> String {
    let rows = facts_of(report).into_iter().map(|(name, value)| format!("- {name}: {}\n", cell(&value)));
    rows.collect()
}

/// What the run was: names and values.
pub(super) fn facts_of(report: &Report) -> Vec<(&'static str, String)> {
    let config = report.config.as_ref().map(|it| ("config", format!("{}, SHA-256 {}", it.file, it.sha256)));
    let command = report
        .command
        .as_ref()
        .map(|it| ("command", format!("{}, exit code {}", printable(&command_line(&it.argv)), it.exit_code)));
    let facts = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("seed", report.seed.to_string()),
        ("started at", format!("{:.3}", report.started_at)),
        ("duration", duration(report.duration)),
    ];
    facts.into_iter().chain(config).chain(command).collect()
}

/// The heads of the tables.
pub(super) const EXPECTATIONS: [&str; 5] = ["", "route", "metric", "want", "got"];
pub(super) const ROUTES: [&str; 9] =
    ["route", "connections", "dropped", "failed dials", "resets", "cuts", "faults", "bytes up", "bytes down"];
pub(super) const TIMES: [&str; 7] = ["route", "time", "count", "p50", "p90", "p99", "max"];
pub(super) const TOXICS: [&str; 6] = ["route", "toxic", "type", "connections", "times", "amount"];

/// A row of a table.
pub(super) type Row = Vec<String>;

pub(super) fn expectations(report: &Report) -> Vec<Row> {
    let row = |it: &Judgement| {
        let got = it.got.map_or_else(|missing| missing.to_string(), |got| got.to_string());
        let verdict = if it.passes() { Verdict::Pass } else { Verdict::Fail };
        let Judgement { scope, condition, .. } = it;
        vec![
            verdict.as_str().to_owned(),
            scope.to_string(),
            condition.metric.name().to_owned(),
            condition.want.to_string(),
            got,
        ]
    };
    report.judgements.iter().map(row).collect()
}

pub(super) fn routes(report: &Report) -> Vec<Row> {
    let counts = [Count::Connections, Count::Dropped, Count::FailedDials, Count::Resets, Count::Cuts, Count::Faults];
    let sizes = [Count::BytesUp, Count::BytesDown];
    let row = |name: &str, figures: &Figures| {
        let counts = counts.map(|count| figures.count(count).to_string());
        let sizes = sizes.map(|count| bytes(figures.count(count)));
        [name.to_owned()].into_iter().chain(counts).chain(sizes).collect()
    };
    report.routes.iter().map(|(name, figures)| row(name.as_str(), figures)).collect()
}

/// The times of which something was measured.
pub(super) fn times(report: &Report) -> Vec<Row> {
    let row = |name: &str, figures: &Figures, timing: Timing| {
        let times = figures.times(timing);
        let ranks = [Rank::P50, Rank::P90, Rank::P99, Rank::Max];
        let ranks: Vec<String> = ranks.into_iter().filter_map(|rank| ranked(times, rank).map(duration)).collect();
        let title = timing.as_str().trim_end_matches("Ms").to_owned();
        (times.count() > 0).then(|| [vec![name.to_owned(), title, times.count().to_string()], ranks].concat())
    };
    let of_route = |name: &str, figures: &Figures| -> Vec<Row> {
        Timing::ALL.iter().filter_map(|timing| row(name, figures, *timing)).collect()
    };
    report.routes.iter().flat_map(|(name, figures)| of_route(name.as_str(), figures)).collect()
}

pub(super) fn close_reasons(report: &Report) -> Vec<Row> {
    let rows = report.routes.iter().flat_map(|(name, figures)| {
        let row = move |(reason, times): (&crate::event::CloseReason, &u64)| {
            vec![name.to_string(), reason.as_str().to_owned(), times.to_string()]
        };
        figures.close_reasons.iter().map(row)
    });
    rows.collect()
}

pub(super) fn toxics(report: &Report) -> Vec<Row> {
    let rows = report.routes.iter().flat_map(|(name, figures)| {
        figures.totals.faults.iter().map(move |((toxic, kind), faults)| {
            let counts = [faults.connections.to_string(), faults.times.to_string(), amount(faults.amount)];
            [name.to_string(), toxic.to_string(), (*kind).to_owned()].into_iter().chain(counts).collect()
        })
    });
    rows.collect()
}

/// The extent of what a toxic has done.
fn amount(amount: Option<Amount>) -> String {
    match amount {
        Some(Amount::Bytes(count)) => bytes(count),
        Some(Amount::Delay(NEVER)) => "held forever".to_owned(),
        Some(Amount::Delay(delay)) => format!("up to {}", duration(delay)),
        None => String::new(),
    }
}

pub(super) fn steps(report: &Report) -> Vec<Row> {
    report.scenario.iter().map(|it| vec![it.at.clone(), duration(it.ran_at), it.step.clone()]).collect()
}

/// A table with its title, unless it has no rows.
fn section(title: &str, head: &[&str], rows: Vec<Row>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rows: String = rows.into_iter().map(|row| line(row.iter().map(|it| cell(it)).collect())).collect();
    let ruler = "|---".repeat(head.len());
    format!("\n## {title}\n\n{}{ruler}|\n{rows}", line(head.iter().map(|it| (*it).to_owned()).collect()))
}

/// A text in which no character has a meaning to Markdown. Line ends and other control characters would end a row.
fn cell(text: &str) -> String {
    let is_special = |c: char| "\\`*_{}[]<>|#~".contains(c);
    let text = printable(text);
    text.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect()
}
