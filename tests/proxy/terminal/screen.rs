//! What a terminal shows for the bytes that it gets. It wraps lines at its width, also those on it when the width
//! changes, and never scrolls, so that all lines can be seen. It interprets what the proxy and a shell write, and no
//! more.

use unicode_width::UnicodeWidthChar;

/// The second column of a wide character.
const FILLER: char = '\0';

pub struct Screen {
    columns: usize,
    /// Each up to its line feed, whatever the width.
    lines: Vec<Vec<char>>,
    /// The line and the column of the cursor in it.
    cursor: (usize, usize),
    /// The bytes of an escape sequence or a character so far.
    pending: Vec<u8>,
    /// Everything that was written.
    pub raw: Vec<u8>,
}

impl Screen {
    pub fn new(columns: usize) -> Self {
        Self { columns, lines: vec![Vec::new()], cursor: (0, 0), pending: Vec::new(), raw: Vec::new() }
    }

    pub fn resize(&mut self, columns: usize) {
        self.columns = columns;
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.raw.extend(bytes);
        for byte in bytes {
            self.pending.push(*byte);
            if self.interpret() {
                self.pending.clear();
            }
        }
    }

    /// All lines without the spaces at their ends.
    pub fn text(&self) -> String {
        let text = |line: &Vec<char>| line.iter().filter(|&&letter| letter != FILLER).collect::<String>();
        self.lines.iter().map(|line| text(line).trim_end().to_owned() + "\n").collect::<String>().trim_end().to_owned()
    }

    /// The line with the cursor.
    pub fn last_line(&self) -> String {
        self.lines[self.cursor.0].iter().filter(|&&letter| letter != FILLER).collect()
    }

    pub fn widest(&self) -> usize {
        self.lines.iter().map(Vec::len).max().unwrap()
    }

    /// Whether what is pending is complete.
    fn interpret(&mut self) -> bool {
        match self.pending[..] {
            [b'\r'] => self.cursor.1 = self.row_start(),
            [b'\n'] => self.line_feed(),
            [8] => self.cursor.1 = self.cursor.1.saturating_sub(1),
            [7] => {}
            [0x1b] | [0x1b, b'['] => return false,
            [0x1b, b'[', .., last] if !last.is_ascii_alphabetic() => return false,
            [0x1b, b'[', ref parameters @ .., command] => {
                let number = str::from_utf8(parameters).unwrap().parse().unwrap_or(1);
                self.control(command, number);
            }
            [byte] if byte < b' ' => panic!("control character {byte}"),
            _ => return self.put_character(),
        }
        true
    }

    fn control(&mut self, command: u8, number: usize) {
        match command {
            b'A' => (0..number).for_each(|_| self.up()),
            b'K' => self.erase_row(),
            b'J' => {
                self.lines.truncate(self.cursor.0 + 1);
                self.lines[self.cursor.0].truncate(self.cursor.1);
            }
            b'm' => {}
            other => panic!("escape sequence {}", other as char),
        }
    }

    fn put_character(&mut self) -> bool {
        let Ok(text) = str::from_utf8(&self.pending) else { return false };
        let letter = text.chars().next().unwrap();
        let (line, column) = self.cursor;
        let cells = [letter, FILLER];
        for (cell, at) in cells[..letter.width().unwrap()].iter().zip(column..) {
            let cells = &mut self.lines[line];
            cells.resize(cells.len().max(at + 1), ' ');
            cells[at] = *cell;
            self.cursor.1 = at + 1;
        }
        true
    }

    fn line_feed(&mut self) {
        self.cursor = (self.cursor.0 + 1, 0);
        if self.lines.len() == self.cursor.0 {
            self.lines.push(Vec::new());
        }
    }

    /// A cursor after the last column of a row is still in that row.
    fn row_start(&self) -> usize {
        self.cursor.1.saturating_sub(1) / self.columns * self.columns
    }

    fn up(&mut self) {
        let (line, column) = self.cursor;
        self.cursor = match column.checked_sub(self.columns) {
            Some(above) => (line, above),
            None => (line - 1, self.lines[line - 1].len() / self.columns * self.columns + column),
        };
    }

    fn erase_row(&mut self) {
        let (line, column) = self.cursor;
        let end = (self.row_start() + self.columns).min(self.lines[line].len());
        self.lines[line][column.min(end)..end].fill(' ');
        let written = self.lines[line].iter().rposition(|&cell| cell != ' ').map_or(0, |last| last + 1);
        self.lines[line].truncate(written.max(column));
    }
}
