//! Arguments as a POSIX shell reads them.

use std::ffi::OsStr;

/// The command that these arguments are, for a shell.
pub fn command_line<T: AsRef<OsStr>>(arguments: &[T]) -> String {
    arguments.iter().map(|argument| quoted(argument.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Quotes an argument, unless it means the same without quotes.
fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_a_shell_would_change() {
        let line = command_line(&["a", "--b=1,2", "c d", "it's", "", "$x", "*"]);
        assert_eq!(line, r"a --b=1,2 'c d' 'it'\''s' '' '$x' '*'");
    }
}
