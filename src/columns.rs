//! Texts that fit a number of columns: cut with `…`, wrapped at spaces, and without characters that move the cursor. A
//! wide character takes two columns.

use unicode_width::UnicodeWidthChar;

/// What replaces the part that is cut off. One column wide.
const ELLIPSIS: char = '…';

/// The number of columns that a text takes, if each of its characters takes the same as alone. Most terminals do so with
/// emoji that are joined, too.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(letter: char) -> usize {
    letter.width().unwrap_or_default()
}

/// The text, cut at its end if it is wider than `columns`.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    format!("{}{ELLIPSIS}", text[..prefix(text, room)].trim_end())
}

/// The length in bytes of the longest prefix of `text` that fits `columns`.
fn prefix(text: &str, columns: usize) -> usize {
    let mut used = 0;
    let too_wide = text.char_indices().find(|(_, letter)| {
        used += columns_of(*letter);
        used > columns
    });
    too_wide.map_or(text.len(), |(at, _)| at)
}

/// The text in lines of at most `columns`, broken at spaces. Only a longer word is broken itself.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), text.trim());
    // Wider than any character, so that each line takes one.
    let columns = columns.max(2);
    while width(rest) > columns {
        let fits = prefix(rest, columns);
        let next_is_space = rest[fits..].starts_with(' ');
        let end = if next_is_space { fits } else { rest[..fits].rfind(' ').unwrap_or(fits) };
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

/// The text with spaces up to `columns`.
#[must_use]
pub fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    text.to_owned() + &" ".repeat(missing)
}

/// The text with escapes for control characters, which could move the cursor, and for those that reverse the direction
/// of the text after them.
#[must_use]
pub fn printable(text: &str) -> String {
    let is_direction = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |letter: char| match letter {
        _ if letter.is_control() => letter.escape_default().to_string(),
        _ if is_direction(letter) => letter.escape_unicode().to_string(),
        _ => letter.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_the_last_column_and_never_within_a_wide_character() {
        assert_eq!(cut("12345", 5), "12345");
        assert_eq!(cut("123456", 5), "1234…");
        assert_eq!(cut("123 456", 5), "123…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!((cut("日本語", 1), cut("日本語", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn joined_and_combining_characters_fit() {
        let family = "👩\u{200d}👩\u{200d}👧";
        for text in [family, "☎\u{fe0f}☎\u{fe0f}☎\u{fe0f}", "e\u{301}e\u{301}e\u{301}"] {
            for columns in 0..6 {
                assert!(width(&cut(text, columns)) <= columns, "{text:?} in {columns}");
            }
            assert_eq!(wrapped(&text.repeat(3), 3).concat(), text.repeat(3));
        }
        assert_eq!((width(family), width("e\u{301}")), (6, 1));
    }

    #[test]
    fn wraps_at_spaces_and_breaks_longer_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("a 0123456789", 5), ["a", "01234", "56789"]);
        assert_eq!(wrapped("日本語", 0), ["日", "本", "語"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn pads_by_columns() {
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("long", 2), "long");
    }

    #[test]
    fn escapes_what_would_change_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\n\u{9b}\u{202e}é"), "a\\u{1b}[31m\\n\\u{9b}\\u{202e}é");
    }
}
