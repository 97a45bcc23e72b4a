//! The report as one HTML file for a person: it loads nothing, prints well, and is light or dark as the reader prefers.

use super::page::{Page, Row, Table};
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

pub(super) fn text(page: &Page) -> String {
    let Page { verdict: (verdict, word), facts, tables, plots } = page;
    let facts: Vec<Row> = facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let plots =
        plots.as_ref().map(|svg| format!("<section>\n<h2>Over time</h2>\n<figure>{svg}</figure>\n</section>\n"));
    // What decides the verdict is in the first table.
    let (deciding, others) = tables.split_at(tables.len().min(1));
    let sections = [
        section(&Table { title: "Run", head: &[], rows: facts }),
        deciding.iter().map(section).collect(),
        plots.unwrap_or_default(),
        others.iter().map(section).collect(),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>chaos-proxy: {word}</title>\n\
         <style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>chaos-proxy: <span class=\"{}\">{word}</span></h1>\n\
         {}</body>\n</html>\n",
        verdict.as_str(),
        sections.concat()
    )
}

fn section(Table { title, head, rows }: &Table) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: String = head.iter().flat_map(|cell| ["<th>".to_owned(), escape(cell), "</th>".to_owned()]).collect();
    let head = if head.is_empty() { head } else { format!("<tr>{head}</tr>\n") };
    let rows: String = rows.iter().flat_map(|row| ["<tr>".to_owned(), cells(row), "</tr>\n".to_owned()]).collect();
    format!("<section>\n<h2>{title}</h2>\n<table>\n{head}{rows}</table>\n</section>\n")
}

fn cells(row: &Row) -> String {
    let cell = |text: &String| match text.as_str() {
        verdict @ ("pass" | "fail") => format!("<td class=\"{verdict}\">{verdict}</td>"),
        text => format!("<td>{}</td>", escape(text)),
    };
    row.iter().map(cell).collect()
}
