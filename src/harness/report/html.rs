//! The report as one HTML file for a person: it loads nothing, prints well, and is light or dark as the reader prefers.

use super::markdown::{self, EXPECTATIONS, ROUTES, Row, TIMES, TOXICS};
use super::{Report, Verdict, chart};
use crate::plot::escape;

const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
.pass{color:#00754f}.fail{color:#b83200}
@media(prefers-color-scheme:dark){.pass{color:#3ddba6}.fail{color:#ff8a5c}}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid #8884;padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}td:first-child{overflow-wrap:normal}
figure{margin:0;overflow-x:auto}svg{width:100%;min-width:600px;height:auto}
@media print{body{margin:0;max-width:none}section,figure{break-inside:avoid}svg{min-width:0}}";

pub(super) fn text(report: &Report) -> String {
    let verdict = match report.verdict() {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
    };
    let class = report.verdict().as_str();
    let facts: Vec<Row> =
        markdown::facts_of(report).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let sections = [
        section("Run", &[], &facts),
        section("Expectations", &EXPECTATIONS, &markdown::expectations(report)),
        plots(report),
        section("Routes", &ROUTES, &markdown::routes(report)),
        section("Times", &TIMES, &markdown::times(report)),
        section("Close reasons", &["route", "reason", "connections"], &markdown::close_reasons(report)),
        section("Toxics", &TOXICS, &markdown::toxics(report)),
        section("Scenario", &["at", "ran at", "step"], &markdown::steps(report)),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>chaos-proxy: {verdict}</title>\n\
         <style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>chaos-proxy: <span class=\"{class}\">{verdict}</span></h1>\n\
         {}</body>\n</html>\n",
        sections.concat()
    )
}

fn plots(report: &Report) -> String {
    chart::svg(report)
        .map(|svg| format!("<section>\n<h2>Over time</h2>\n<figure>{svg}</figure>\n</section>\n"))
        .unwrap_or_default()
}

/// A table with its title, unless it has no rows.
fn section(title: &str, head: &[&str], rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|cell| format!("<th>{}</th>", escape(cell))).collect();
    let head = if head.is_empty() { String::new() } else { format!("<tr>{}</tr>\n", head.concat()) };
    let rows: Vec<String> = rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row))).collect();
    format!("<section>\n<h2>{title}</h2>\n<table>\n{head}{}</table>\n</section>\n", rows.concat())
}

fn cells(row: &Row) -> String {
    let cell = |text: &String| match text.as_str() {
        verdict @ ("pass" | "fail") => format!("<td class=\"{verdict}\">{verdict}</td>"),
        text => format!("<td>{}</td>", escape(text)),
    };
    row.iter().map(cell).collect()
}
