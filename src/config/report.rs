//! All problems of one config, and their printed form: `file:line:column`, the source line with carets, and the hint.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

use super::problem::{Problem, SourceSpan, char_start};
use crate::terminal::Colors;

/// The problems of an invalid config. `Display` prints the first 50 in full, then the number of problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    name: String,
    text: String,
    problems: Vec<Problem>,
}

/// A position in a text as editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Report {
    /// The most problems that a log or an answer lists. Each takes time in proportion to the length of the text.
    pub const MAX_LISTED: usize = 50;

    const MAX_PRINTED: usize = 50;

    /// Sorts `problems` by position. A problem found twice, through a YAML alias, is reported once.
    pub(super) fn new(name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { name: printable(name), text: text.to_owned(), problems }
    }

    /// All problems in the order of their positions. A problem of the file as a whole has no position. Each position
    /// takes time proportional to the length of the text before it.
    #[must_use]
    pub fn problems(&self) -> impl ExactSizeIterator<Item = (Option<Position>, &Problem)> {
        self.problems.iter().map(|problem| (problem.at.map(|span| self.position_of(span)), problem))
    }

    /// The name of the file, with control characters escaped.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of problems in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let (name, count) = (&self.name, self.problems.len());
        if count == 1 { format!("{name}: 1 problem") } else { format!("{name}: {count} problems") }
    }

    fn position_of(&self, span: SourceSpan) -> Position {
        let before = &self.text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position { line: 1 + newlines(before), column: 1 + before[line_start..].chars().count() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.printed(Colors::Off))
    }
}

impl std::error::Error for Report {}

impl Report {
    /// The same as `Display` prints, with colours or without.
    #[must_use]
    pub fn printed(&self, colors: Colors) -> String {
        let renderer = match colors {
            Colors::On => Renderer::styled(),
            Colors::Off => Renderer::plain(),
        };
        let printed = self.problems.iter().take(Self::MAX_PRINTED);
        let text: String = printed.map(|problem| self.render(problem, &renderer) + "\n\n").collect();
        text + &self.summary() + &self.omission()
    }

    fn omission(&self) -> String {
        if self.problems.len() <= Self::MAX_PRINTED {
            return String::new();
        }
        format!(", of which the first {} are shown", Self::MAX_PRINTED)
    }

    fn render(&self, problem: &Problem, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(printable(&problem.what));
        let hint = Level::HELP.message(printable(&problem.hint));
        let Some(span) = problem.at else {
            return format!("{}: {}", self.name, renderer.render(&[title.element(hint)]));
        };
        let Position { line, column } = self.position_of(span);
        let excerpt = Excerpt::of(&self.text, span, &problem.also);
        let elsewhere = excerpt.left_out.iter().map(|&(span, label)| {
            let Position { line, column } = self.position_of(span);
            Level::NOTE.message(format!("{label}: {}:{line}:{column}", self.name))
        });
        let report = title.element(excerpt.snippet(&self.text, line)).elements(elsewhere).element(hint);
        format!("{}:{line}:{column}: {}", self.name, renderer.render(&[report]))
    }
}

/// The part of the text shown for one problem.
struct Excerpt {
    shown: SourceSpan,
    primary: SourceSpan,
    context: Vec<(SourceSpan, &'static str)>,
    left_out: Vec<(SourceSpan, &'static str)>,
}

impl Excerpt {
    /// The largest excerpt in bytes, so that a 16 MiB file of one line is not printed.
    const MAX_BYTES: usize = 4096;
    /// The part of a longer line that is kept on each side of the span, in bytes. The renderer trims it to 140 columns
    /// and marks the cut.
    const CONTEXT_BYTES: usize = 400;

    /// The lines from the first span to the last, or only the line of the primary span if they are far apart.
    fn of(text: &str, primary: SourceSpan, also: &[(SourceSpan, &'static str)]) -> Self {
        let first = also.iter().map(|&(span, _)| span.start).fold(primary.start, usize::min);
        let last = also.iter().map(|&(span, _)| span.end).fold(primary.end, usize::max);
        let all_lines = lines(text, SourceSpan { start: first, end: last });
        if all_lines.end - all_lines.start <= Self::MAX_BYTES {
            return Self { shown: all_lines, primary, context: also.to_vec(), left_out: Vec::new() };
        }
        let own_line = lines(text, SourceSpan { end: primary.start, ..primary });
        Self { shown: near(text, primary, own_line), primary, context: Vec::new(), left_out: also.to_vec() }
    }

    fn snippet<'t>(&self, text: &'t str, primary_line: usize) -> Snippet<'t, annotate_snippets::Annotation<'t>> {
        let source = &text[self.shown.start..self.shown.end];
        let above = newlines(&text[self.shown.start..self.primary.start]);
        let underlined = |span: SourceSpan| {
            let inside = span.start - self.shown.start..span.end.min(self.shown.end) - self.shown.start;
            // Underline only the first line of a value that spans several.
            let first_line = source[inside.clone()].find('\n').map_or(inside.end, |length| inside.start + length);
            inside.start..first_line
        };
        let context =
            self.context.iter().map(|&(span, label)| AnnotationKind::Context.span(underlined(span)).label(label));
        Snippet::source(terminal_safe(source))
            .line_start(primary_line - above)
            .annotation(AnnotationKind::Primary.span(underlined(self.primary)))
            .annotations(context)
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// Extends `span` to whole lines, without the last line's terminator.
fn lines(text: &str, span: SourceSpan) -> SourceSpan {
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = span.end + text[span.end..].lines().next().map_or(0, str::len);
    SourceSpan { start, end }
}

/// The part of a long `line` near the start of `span`.
fn near(text: &str, span: SourceSpan, line: SourceSpan) -> SourceSpan {
    let start = char_start(text, span.start.saturating_sub(Excerpt::CONTEXT_BYTES)).max(line.start);
    let end = char_start(text, span.start + Excerpt::CONTEXT_BYTES).min(line.end);
    SourceSpan { start, end }
}

/// Replaces the C1 control characters, which some terminals execute. The renderer itself replaces the ASCII control
/// characters and those for text direction. Both a C1 character and its replacement have two bytes, so the spans stay
/// valid.
fn terminal_safe(source: &str) -> String {
    source.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{b7}")
}

/// Escapes control characters and those for text direction in text that may come from the file.
fn printable(text: &str) -> String {
    let escaped = text.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() });
    normalize_untrusted_str(&escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, problem: Problem) -> String {
        Report::new("config", text, vec![problem]).to_string()
    }

    fn span(text: &str, word: &str) -> SourceSpan {
        let start = text.find(word).unwrap_or_default();
        SourceSpan { start, end: start + word.len() }
    }

    #[test]
    fn columns_count_characters_and_lines_count_line_feeds() {
        let text = "a\n\u{1F600}\u{e4} b\n";
        let report = Report::new("config", text, vec![Problem::at(span(text, "b"), "", "")]);
        let positions: Vec<_> = report.problems().map(|(position, _)| position).collect();
        assert_eq!(positions, [Some(Position { line: 2, column: 4 })]);
    }

    #[test]
    fn distant_second_span_becomes_a_note() {
        let text = format!("first\n{}second\n", "\n".repeat(5000));
        let problem = Problem::at(span(&text, "second"), "what", "do").also(span(&text, "first"), "first used here");
        assert_eq!(
            report(&text, problem),
            "config:5002:1: error: what\n     |\n5002 | second\n     | ^^^^^^\n     |\n     \
             = note: first used here: config:1:1\n     = help: do\n\nconfig: 1 problem"
        );
    }

    #[test]
    fn long_line_is_cut_around_the_span() {
        let text = format!("{}here{}", "\u{e4} ".repeat(100_000), " \u{e4}".repeat(100_000));
        let printed = report(&text, Problem::at(span(&text, "here"), "what", "do"));
        assert!(printed.starts_with("config:1:200001: error: what"), "{printed}");
        assert!(printed.contains(" here ") && printed.len() < 1000, "{printed}");
    }

    #[test]
    fn carriage_returns_are_not_printed() {
        let text = "one\r\ntwo\r\nthree\r\n";
        let problem = Problem::at(span(text, "two"), "what", "do").also(span(text, "one"), "first");
        let shown = "1 | one\n  | --- first\n2 | two\n  | ^^^\n";
        assert!(report(text, problem).contains(shown));
    }

    #[test]
    fn multi_line_value_is_underlined_on_its_first_line() {
        let text = "a: |\n  one\n  two\n";
        let printed = report(text, Problem::at(span(text, "one\n  two\n"), "what", "do"));
        assert!(printed.contains("2 |   one\n  |   ^^^\n"), "{printed}");
    }

    #[test]
    fn control_characters_are_not_printed() {
        let text = "\u{1b}[31m\u{9b}31m\u{202e}";
        let problem = Problem::at(span(text, "[31m"), text, text);
        let printed = Report::new(text, text, vec![problem]).to_string();
        assert!(!printed.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{printed:?}");
    }
}
