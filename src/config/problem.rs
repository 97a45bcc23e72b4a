//! A problem of a config: what is wrong, where, and what to write instead. How it is printed lives in `report`.

use crate::plan::Rejected;

/// A stretch of the config's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceSpan {
    /// The offset of its first byte.
    pub start: usize,
    /// The offset behind its last byte.
    pub end: usize,
}

impl SourceSpan {
    /// The word around `offset`, or the one character there, or nothing where `text` ends.
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

/// The beginning of the character that the byte at `offset` belongs to, or the end of `text`.
pub(super) fn char_start(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&start| text.is_char_boundary(start)).unwrap_or(0)
}

/// One thing to correct in a config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where; a file that could not be read has no such place.
    pub(super) at: Option<SourceSpan>,
    /// What is wrong, with the offending value in it.
    pub(super) what: String,
    /// What to do about it.
    pub(super) hint: String,
    /// Other places that the reader has to see, and what is there.
    pub(super) also: Vec<(SourceSpan, &'static str)>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub(super) fn of_file(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), hint: hint.into(), also: Vec::new() }
    }

    /// A problem of the text at `span`.
    pub(super) fn at(span: SourceSpan, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at: Some(span), ..Self::of_file(what, hint) }
    }

    /// A value that a plan can't hold.
    pub(super) fn rejected(span: SourceSpan, reason: Rejected) -> Self {
        Self::at(span, reason.what, reason.hint)
    }

    /// Shows `span` as well, with `label` under it.
    pub(super) fn also(mut self, span: SourceSpan, label: &'static str) -> Self {
        self.also.push((span, label));
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_from_anywhere_in_it() {
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
