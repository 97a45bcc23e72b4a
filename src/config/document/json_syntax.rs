//! Turns syntax errors of `serde_json` into problems with a fix. `serde_json` reports what it expected; the text at the
//! position shows which mistake was made.

use super::{Problem, SourceSpan};
use crate::value::{Millis, Probability, Written, reject_variable};

/// Explains `error`, which occurred in `slice`. `slice` starts at offset `base` of `text`.
pub(super) fn explain(text: &str, base: usize, slice: &str, error: &serde_json::Error) -> Problem {
    if error.is_eof() {
        return unexpected_end(text);
    }
    let message = without_position(&error.to_string());
    let found = SourceSpan::word(text, base + offset(slice, error.line(), error.column()));
    if message.starts_with("control character") {
        return control_character(text, found.end);
    }
    let before = text[..found.start].trim_end();
    if before.ends_with(',') && matches!(&text[found.start..found.end], "]" | "}") {
        let comma = SourceSpan { start: before.len() - 1, end: before.len() };
        return Problem::at(comma, "this is not JSON: trailing comma", "remove it");
    }
    if let Some(rejected) = reject_variable(word_at(text, found)) {
        return Problem::at(found, format!("this is not JSON: {}", rejected.what), rejected.hint);
    }
    // Both are errors after a value, so that no number within a text is meant.
    if ["expected `,`", "key must be"].iter().any(|start| message.starts_with(start))
        && let Some((number, hint)) = number_with_unit(text, found)
    {
        let written = &text[number.start..number.end];
        return Problem::at(number, format!("this is not JSON: `{written}` is not a number"), hint);
    }
    Problem::at(found, format!("this is not JSON: {message}"), hint(text, found, &message))
}

/// The text from `found` to the next space.
fn word_at(text: &str, found: SourceSpan) -> &str {
    text[found.start..].split_whitespace().next().filter(|word| word.starts_with('$')).unwrap_or_default()
}

/// A number with a unit at `found`, such as `100ms`, `5%` or `0,1`, and what to write instead.
fn number_with_unit(text: &str, found: SourceSpan) -> Option<(SourceSpan, String)> {
    let start = text[..found.start].trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).len();
    let number = &text[start..found.end];
    let unit = number.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    if !number.starts_with(|c: char| c.is_ascii_digit()) || (unit.is_empty() && !number.contains(',')) {
        return None;
    }
    let hint = [Probability::KIND, Millis::KIND].into_iter().find_map(|kind| kind.amount_hint(number));
    let hint = hint.unwrap_or_else(|| "write the number alone; the documentation of the key has its unit".to_owned());
    Some((SourceSpan { start, end: found.end }, hint))
}

/// Converts a position of `serde_json` into an offset. Lines count from 1 and columns in bytes; column 0 is the newline
/// that ends the previous line.
fn offset(slice: &str, line: usize, column: usize) -> usize {
    let line_start = match line.checked_sub(2) {
        Some(newlines) => slice.match_indices('\n').nth(newlines).map_or(slice.len(), |(newline, _)| newline + 1),
        None => 0,
    };
    (line_start + column).saturating_sub(1)
}

/// Strips the position from the message, because the report prints its own.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message).to_owned()
}

/// Explains a raw control character. For this error `serde_json` reports the column before it.
fn control_character(text: &str, at: usize) -> Problem {
    let found = SourceSpan::word(text, at);
    let (what, hint) = match &text[found.start..found.end] {
        "\n" | "\r" => ("a text is not closed on its line", "close it with \", or write \\n for a line break in it"),
        "\t" => ("a tab in a text", "write \\t for it"),
        _ => ("a control character in a text", "remove it, or write it as \\u and four digits"),
    };
    Problem::at(found, format!("this is not JSON: {what}"), hint)
}

fn unexpected_end(text: &str) -> Problem {
    let end = text.trim_end().len();
    let end = SourceSpan { start: end, end };
    let Some(open) = innermost_open(text) else {
        return Problem::at(end, "this is not JSON: the file ends within a value", "complete the value");
    };
    let (name, closing) = match text.as_bytes()[open] {
        b'[' => ("a list", "]"),
        b'{' => ("an object", "}"),
        _ => ("a text", "\""),
    };
    let what = format!("this is not JSON: the file ends within {name}");
    Problem::at(end, what, format!("close it with `{closing}`"))
        .also(SourceSpan { start: open, end: open + 1 }, "opened here")
}

/// The innermost bracket or quote that is not closed.
fn innermost_open(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let in_string = open.last().is_some_and(|&(_, opening)| opening == b'"');
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' if in_string => drop(open.pop()),
            _ if in_string => {}
            b'"' | b'[' | b'{' => open.push((at, byte)),
            b']' | b'}' => drop(open.pop()),
            _ => {}
        }
    }
    open.last().map(|&(at, _)| at)
}

fn hint(text: &str, at: SourceSpan, message: &str) -> &'static str {
    let found = &text[at.start..at.end];
    match (message, found) {
        (_, "/" | "#") => "JSON has no comments: remove it, or write YAML, in a file named .yaml",
        _ if !text.trim_start().starts_with(['[', '{']) => {
            "begin with [ and the first route; if this is YAML, name the file .yaml"
        }
        ("trailing characters", "," | "{" | "[") => "put every route into one list: [ {…}, {…} ]",
        ("trailing characters", _) => "remove what follows the end",
        ("invalid escape", _) => "write \\\\ for a backslash",
        ("invalid number", _) => "write digits without leading zeros, and on both sides of a decimal point",
        ("expected `:`", _) => "put a colon between the key and its value",
        (_, "'") => "put text and keys in double quotes: \"…\"",
        (_, "NaN" | "Infinity" | "nan" | "inf") => "write a number; JSON has neither NaN nor infinity",
        (_, "True" | "False" | "None") => "write true, false or null, all in lower case",
        _ if message.starts_with("expected `,`") => "put a comma before this",
        _ if ["unicode", "surrogate", "hex escape"].iter().any(|part| message.contains(part)) => {
            "write the character itself instead"
        }
        ("key must be a string", "," | "{" | "[") => "write a key in double quotes here, or remove this",
        ("key must be a string", _) => "put the key in double quotes",
        (_, "," | "]" | "}") => "a value is missing before this: add it, or remove the comma or key that needs it",
        (_, "+" | ".") => "begin a number with a digit or with -",
        _ => "put text in double quotes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_positions_of_serde_json_to_offsets() {
        assert_eq!(offset("abc", 1, 2), 1);
        assert_eq!(offset("a\nbc", 2, 1), 2);
        assert_eq!(offset("a\nbc", 2, 0), 1, "the newline itself");
        assert_eq!(offset("", 1, 0), 0);
        assert_eq!(offset("a", 9, 9), 9, "beyond the end, which the caller bounds");
    }

    #[test]
    fn finds_the_innermost_open_bracket_or_quote() {
        assert_eq!(innermost_open("[{\"a\": [1]"), Some(1));
        assert_eq!(innermost_open("[\"a]\\\""), Some(1));
        assert_eq!(innermost_open("[\"a\\\\\", {}"), Some(0));
        assert_eq!(innermost_open("]]"), None);
    }
}
