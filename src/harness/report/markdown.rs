//! The report as Markdown, for the summaries of CI jobs.

use super::page::{Page, Table};
use crate::columns::printable;

pub(super) fn text(page: &Page) -> String {
    let fact = |(name, value): &(&str, String)| format!("- {name}: {}\n", cell(value));
    let facts: Vec<String> = page.facts.iter().map(fact).collect();
    let tables: String = page.tables.iter().map(section).collect();
    format!("# chaos-proxy: {}\n\n{}{tables}", page.verdict.1, facts.concat())
}

fn section(Table { title, head, rows }: &Table) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let ruler = "|---".repeat(head.len());
    let rows: String = rows.iter().map(|row| line(&row.iter().map(|it| cell(it)).collect::<Vec<_>>())).collect();
    format!("\n## {title}\n\n{}{ruler}|\n{rows}", line(&head))
}

/// A text in which no character has a meaning to Markdown. Line ends and other control characters would end a row.
fn cell(text: &str) -> String {
    let is_special = |c: char| "\\`*_{}[]<>|#~".contains(c);
    let text = printable(text);
    text.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect()
}
