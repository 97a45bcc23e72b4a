//! Arguments as a POSIX shell reads them.

use std::ffi::OsStr;

/// A command line that a shell splits into these words. Bytes that are not UTF-8 are shown as U+FFFD.
pub fn command_line<T: AsRef<OsStr>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Quotes an argument, unless it means the same without quotes.
fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.into_owned() } else { single_quoted(&text) }
}

/// A text in single quotes, within which only they are special.
#[must_use]
pub fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_a_shell_would_change() {
        let line = command_line(["a", "--b=1,2", "c d", "it's", "", "$x", "*"]);
        assert_eq!(line, r"a --b=1,2 'c d' 'it'\''s' '' '$x' '*'");
    }
}
