//! Characters of a config that can't be seen, such as a no-break space that came with a copy from a web page. Where one
//! of them is the cause of a problem, it is reported by its code point and place instead.

use super::problem::{Problem, SourceSpan};

/// The problem, or the invisible character in the key or value that it is about.
pub(super) fn explained(text: &str, problem: Problem) -> Problem {
    problem.at.and_then(|span| within(text, span)).unwrap_or(problem)
}

/// The first invisible character in `span`, as a problem.
pub(super) fn within(text: &str, span: SourceSpan) -> Option<Problem> {
    let (offset, found) = text.get(span.start..span.end)?.char_indices().find(|&(_, c)| is_invisible(c))?;
    let start = span.start + offset;
    let at = SourceSpan { start, end: start + found.len_utf8() };
    let name = name(found).map(|name| format!(", {name}")).unwrap_or_default();
    let what = format!("there is an invisible character here: U+{:04X}{name}", u32::from(found));
    let hint = if found.is_whitespace() { "remove it, or replace it with a space" } else { "remove it" };
    Some(Problem::at(at, what, hint))
}

/// Whether it shows as nothing or as a space: white space and control characters other than ASCII's, and characters
/// that join, separate or direct text (general category Cf of Unicode).
fn is_invisible(c: char) -> bool {
    !c.is_ascii() && (c.is_whitespace() || c.is_control())
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero width space",
        '\u{200c}' | '\u{200d}' => "a zero width joiner or non-joiner",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "which changes the direction of text"
        }
        '\u{2028}' => "a line separator",
        '\u{2029}' => "a paragraph separator",
        '\u{202f}' => "a narrow no-break space",
        '\u{3000}' => "an ideographic space",
        '\u{feff}' => "a byte order mark",
        _ if c.is_control() => "a control character",
        _ if c.is_whitespace() => "a kind of space",
        _ => return None,
    })
}
