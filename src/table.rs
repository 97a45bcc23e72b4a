//! Tables: aligned columns with a header for people, values with a tab between them for programs.

use serde_json::Value;

use crate::columns::{padded, printable, width};

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A header, and columns as wide as their longest value; numbers to the right.
    Aligned,
    /// Only the values, one row on each line.
    TabSeparated,
}

/// The columns of a table: keys of its objects, and their headers too.
pub type Columns = &'static [&'static str];

/// Printed for a missing or empty value, so that every row has the same number of words.
const NONE: &str = "-";

/// Prints JSON objects as the rows of a table.
#[must_use]
pub fn rendered(columns: Columns, objects: &[Value], layout: Layout) -> String {
    let rows: Vec<Vec<Cell>> =
        objects.iter().map(|object| columns.iter().map(|key| Cell::of(&object[*key])).collect()).collect();
    match layout {
        Layout::TabSeparated => rows.iter().map(|row| joined(row.iter().map(|cell| cell.text.clone()), "\t")).collect(),
        Layout::Aligned => aligned(columns, &rows),
    }
}

/// A value as it is printed.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    alignment: Alignment,
}

#[derive(Clone, Copy, Debug)]
enum Alignment {
    Left,
    Right,
}

impl Cell {
    /// A text, which begins where its column does.
    #[must_use]
    pub fn left(text: String) -> Self {
        Self { text, alignment: Alignment::Left }
    }

    /// A number, which ends where its column does.
    #[must_use]
    pub fn right(text: String) -> Self {
        Self { text, alignment: Alignment::Right }
    }

    fn of(value: &Value) -> Self {
        let text = Some(text(value)).filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned());
        if value.is_number() { Self::right(text) } else { Self::left(text) }
    }

    fn padded(&self, columns: usize) -> String {
        match self.alignment {
            Alignment::Left => padded(&self.text, columns),
            Alignment::Right => " ".repeat(columns.saturating_sub(width(&self.text))) + &self.text,
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        other => printable(&other.to_string()),
    }
}

/// Prints the cells below their headers, each of which is aligned as the first cell of its column.
#[must_use]
pub fn aligned(headers: &[&str], rows: &[Vec<Cell>]) -> String {
    let header_cell = |(at, header): (usize, &&str)| Cell {
        text: (*header).to_owned(),
        alignment: rows.first().and_then(|row| row.get(at)).map_or(Alignment::Left, |cell| cell.alignment),
    };
    let header: Vec<Cell> = headers.iter().enumerate().map(header_cell).collect();
    let lines = || std::iter::once(&header).chain(rows);
    let widest =
        |at: usize| lines().filter_map(|row| row.get(at)).map(|cell| width(&cell.text)).max().unwrap_or_default();
    let widths: Vec<usize> = (0..headers.len()).map(widest).collect();
    lines().map(|row| joined(row.iter().zip(&widths).map(|(cell, width)| cell.padded(*width)), "  ")).collect()
}

/// A line of cells, without spaces at its end.
fn joined(cells: impl Iterator<Item = String>, between: &str) -> String {
    cells.collect::<Vec<_>>().join(between).trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: Columns = &["name", "active", "toxics"];

    fn objects() -> Vec<Value> {
        vec![
            json!({ "name": "web", "active": 5, "toxics": ["latency_downstream", "noop"] }),
            json!({ "name": "a\tlonger näme", "active": 12_000, "toxics": [], "further": 1 }),
            json!({ "active": null }),
        ]
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_value() {
        let expected = "\
name            active  toxics
web                  5  latency_downstream,noop
a\\tlonger näme   12000  -
-               -       -
";
        assert_eq!(rendered(COLUMNS, &objects(), Layout::Aligned), expected);
    }

    #[test]
    fn programs_get_values_with_tabs_between_them() {
        let expected = "web\t5\tlatency_downstream,noop\na\\tlonger näme\t12000\t-\n-\t-\t-\n";
        assert_eq!(rendered(COLUMNS, &objects(), Layout::TabSeparated), expected);
    }

    #[test]
    fn a_table_without_rows_has_a_header_for_people_only() {
        assert_eq!(rendered(COLUMNS, &[], Layout::Aligned), "name  active  toxics\n");
        assert_eq!(rendered(COLUMNS, &[], Layout::TabSeparated), "");
    }
}
