//! What stderr is: a terminal, how wide, and whether it understands colours and cursor movements.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

/// What can be written to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It is a file or a pipe.
    Absent,
    /// A terminal that takes text only: `TERM` is `dumb` or not set.
    Dumb,
    /// A terminal on which the user wants no colours. It understands cursor movements.
    Plain,
    /// A terminal with colours.
    Colored,
}

impl Terminal {
    /// What stderr is.
    #[must_use]
    pub fn of_stderr() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Absent;
        }
        Self::of(env::var_os("TERM").as_deref(), env::var_os("NO_COLOR").as_deref())
    }

    /// `NO_COLOR` counts if it is not empty, as <https://no-color.org> defines it.
    fn of(term: Option<&OsStr>, no_color: Option<&OsStr>) -> Self {
        let is_dumb = term.is_none_or(|term| term.is_empty() || term == "dumb");
        match no_color {
            _ if is_dumb => Self::Dumb,
            Some(value) if !value.is_empty() => Self::Plain,
            _ => Self::Colored,
        }
    }

    /// Whether stderr is a terminal at all.
    #[must_use]
    pub fn is_present(self) -> bool {
        self != Self::Absent
    }

    /// Whether text can be erased and written again.
    #[must_use]
    pub fn can_erase(self) -> bool {
        matches!(self, Self::Plain | Self::Colored)
    }

    /// Whether texts are coloured.
    #[must_use]
    pub fn colors(self) -> Colors {
        if self == Self::Colored { Colors::On } else { Colors::Off }
    }
}

/// Whether a text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// With escape sequences.
    On,
    /// Without any.
    Off,
}

/// The present width of stderr, unless it is unknown.
#[must_use]
pub fn columns() -> Option<usize> {
    let columns = tcgetwinsize(io::stderr()).ok()?.ws_col;
    Some(columns.into()).filter(|&columns| columns > 0)
}

/// Whether this process belongs to the foreground job of the terminal. A job in the background shares the line of the
/// cursor with the shell.
#[must_use]
pub fn is_foreground() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|foreground| foreground == getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn term_and_no_color_decide_what_is_written() {
        for (term, no_color, expected) in [
            (Some("xterm"), None, Terminal::Colored),
            (Some("xterm"), Some(""), Terminal::Colored),
            (Some("xterm"), Some("0"), Terminal::Plain),
            (Some("dumb"), None, Terminal::Dumb),
            (Some("dumb"), Some("1"), Terminal::Dumb),
            (Some(""), None, Terminal::Dumb),
            (None, None, Terminal::Dumb),
        ] {
            let found = Terminal::of(term.map(OsStr::new), no_color.map(OsStr::new));
            assert_eq!(found, expected, "TERM={term:?} NO_COLOR={no_color:?}");
        }
    }
}
