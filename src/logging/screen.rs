//! The status line at the bottom of a terminal. It is erased before each log line and drawn again after it, in the same
//! write(2), so that the two never mix and nothing flickers.
//!
//! The line has no line feed at its end, so that the cursor stays in it.

use crate::columns::{cut, width};
use crate::terminal::{Colors, columns, is_foreground};

/// Columns at the end of the line that stay free, for `^C` or `^Z`: the terminal echoes them at the cursor, and they must
/// not begin another line, which would not be erased.
const ECHO_COLUMNS: usize = 4;

/// A terminal that is narrower has no status line.
const LEAST_COLUMNS: usize = 20;

const SEPARATOR: &str = " · ";

/// The status line, and what is on the terminal of it.
#[derive(Debug)]
pub(super) struct Screen {
    colors: Colors,
    status: Status,
    drawn: Drawn,
}

#[derive(Debug)]
enum Status {
    Hidden,
    Shown(Vec<String>),
    /// Never shown again.
    Closed,
}

/// The line on a terminal. Empty if there is none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drawn {
    parts: Vec<String>,
    /// The width of the terminal.
    columns: usize,
}

impl Screen {
    pub(super) fn new(colors: Colors) -> Self {
        Self { colors, status: Status::Hidden, drawn: Drawn::default() }
    }

    pub(super) fn show(&mut self, parts: Vec<String>) {
        self.change_to(Status::Shown(parts));
    }

    pub(super) fn hide(&mut self) {
        self.change_to(Status::Hidden);
    }

    pub(super) fn close(&mut self) {
        self.change_to(Status::Closed);
    }

    fn change_to(&mut self, status: Status) {
        if !matches!(self.status, Status::Closed) {
            self.status = status;
        }
    }

    /// What to write so that `lines` are above the status line.
    pub(super) fn around(&mut self, lines: &[u8]) -> Vec<u8> {
        let columns = match self.status {
            Status::Hidden | Status::Closed if self.drawn.is_empty() => return lines.to_vec(),
            _ => columns().unwrap_or_default(),
        };
        let next = self.next(columns);
        if lines.is_empty() && next == self.drawn {
            return Vec::new();
        }
        let mut bytes = self.drawn.erased_on(columns).into_bytes();
        bytes.extend_from_slice(lines);
        bytes.extend(joined(&next.parts, self.colors).into_bytes());
        self.drawn = next;
        bytes
    }

    /// There is no line in the background, where the cursor is in the line of a shell.
    fn next(&self, columns: usize) -> Drawn {
        match &self.status {
            Status::Shown(parts) if columns >= LEAST_COLUMNS && is_foreground() => {
                Drawn { parts: fitting(parts, columns - ECHO_COLUMNS), columns }
            }
            _ => Drawn::default(),
        }
    }
}

impl Drawn {
    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Erases the line. A terminal that was made narrower has wrapped it.
    fn erased_on(&self, columns: usize) -> String {
        match width(&self.parts.join(SEPARATOR)) {
            0 => String::new(),
            drawn if columns > 0 && drawn > columns => format!("\x1b[{}A\r\x1b[J", (drawn - 1) / columns),
            _ => "\r\x1b[K".to_owned(),
        }
    }
}

/// As many parts as fit. The first one is cut if it does not.
fn fitting(parts: &[String], columns: usize) -> Vec<String> {
    let mut used = 0;
    let fits = |part: &&String| {
        used += width(part) + if used == 0 { 0 } else { width(SEPARATOR) };
        used <= columns
    };
    let whole: Vec<String> = parts.iter().take_while(fits).cloned().collect();
    if whole.is_empty() { parts.iter().take(1).map(|first| cut(first, columns)).collect() } else { whole }
}

fn joined(parts: &[String], colors: Colors) -> String {
    match (colors, parts) {
        (Colors::On, [first, rest @ ..]) => {
            let emphasised = format!("\x1b[1m{first}\x1b[0m");
            [&[emphasised], rest].concat().join(&format!("\x1b[2m{SEPARATOR}\x1b[0m"))
        }
        _ => parts.join(SEPARATOR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<String> {
        ["3 open", "↑ 1 kB/s", "57 faults"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_last_parts_are_left_out_if_they_do_not_fit() {
        assert_eq!(fitting(&parts(), 29), parts());
        assert_eq!(fitting(&parts(), 28), parts()[..2]);
        assert_eq!(fitting(&parts(), 6), parts()[..1]);
        assert_eq!(fitting(&parts(), 5), ["3 op…"]);
        assert_eq!(fitting(&[], 5), [""; 0]);
    }

    #[test]
    fn erases_the_rows_that_a_narrower_terminal_has_made_of_it() {
        assert_eq!(Drawn::default().erased_on(80), "");
        for (drawn, columns, expected) in [
            (40, 80, "\r\x1b[K"),
            (40, 40, "\r\x1b[K"),
            (41, 40, "\x1b[1A\r\x1b[J"),
            (80, 40, "\x1b[1A\r\x1b[J"),
            (81, 40, "\x1b[2A\r\x1b[J"),
            (40, 0, "\r\x1b[K"),
        ] {
            let drawn = Drawn { parts: vec!["x".repeat(drawn)], columns: 100 };
            assert_eq!(drawn.erased_on(columns), expected);
        }
    }

    #[test]
    fn without_a_status_only_lines_are_written() {
        let mut screen = Screen::new(Colors::Off);
        assert_eq!(screen.around(b""), b"");
        assert_eq!(screen.around(b"line\n"), b"line\n");
        screen.close();
        screen.show(parts());
        assert_eq!(screen.around(b"line\n"), b"line\n", "closed for good");
    }

    #[test]
    fn the_first_part_is_emphasised() {
        assert_eq!(joined(&parts()[..2], Colors::Off), "3 open · ↑ 1 kB/s");
        assert_eq!(joined(&parts()[..2], Colors::On), "\x1b[1m3 open\x1b[0m\x1b[2m · \x1b[0m↑ 1 kB/s");
    }
}
