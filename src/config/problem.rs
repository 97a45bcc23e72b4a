//! A problem of a config: what is wrong, where, and how to fix it. `report` prints it.

use crate::value::Rejected;

/// A range of the config's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceSpan {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
}

impl SourceSpan {
    /// The word at `offset`, or the single character there if it is not part of a word, or an empty span at the end of
    /// `text`.
    pub(super) fn word(text: &str, offset: usize) -> Self {
        let (before, after) = text.split_at(char_start(text, offset));
        match after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len()) {
            0 => Self { start: before.len(), end: before.len() + after.chars().next().map_or(0, char::len_utf8) },
            length => {
                let start = before.trim_end_matches(char::is_alphanumeric).len();
                Self { start, end: before.len() + length }
            }
        }
    }
}

/// The start of the character that contains the byte at `offset`, or the end of `text`.
pub(super) fn char_start(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&start| text.is_char_boundary(start)).unwrap_or(0)
}

/// One error in a config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is. `None` for a problem of the file as a whole.
    pub(super) at: Option<SourceSpan>,
    /// What is wrong, including the invalid value.
    pub(super) what: String,
    /// How to fix it.
    pub(super) hint: String,
    /// Other spans to show, each with a label.
    pub(super) also: Vec<(SourceSpan, &'static str)>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub(super) fn of_file(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), hint: hint.into(), also: Vec::new() }
    }

    /// A problem at `span`.
    pub(super) fn at(span: SourceSpan, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at: Some(span), ..Self::of_file(what, hint) }
    }

    /// A value that the plan rejects.
    pub(super) fn rejected(span: SourceSpan, reason: Rejected) -> Self {
        Self::at(span, reason.what, reason.hint)
    }

    /// Adds another span to show, with `label` under it.
    pub(super) fn also(mut self, span: SourceSpan, label: &'static str) -> Self {
        self.also.push((span, label));
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_from_any_offset_in_it() {
        let text = "ab \u{e4}c,";
        let word = |offset| {
            let span = SourceSpan::word(text, offset);
            &text[span.start..span.end]
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7, 99].map(word),
            ["ab", "ab", " ", "\u{e4}c", "\u{e4}c", "\u{e4}c", ",", "", ""]
        );
    }
}
