//! The text format, for people: the time of day, the kind, the route and the connection, and a sentence. It fits the
//! columns of the terminal: lines of connections are cut, and warnings, errors and lines of the whole run are wrapped.

use jiff::tz::TimeZone;

use super::fold::Folded;
use super::message::{Kind, Message};
use super::phrases::Sentence;
use crate::columns::{cut, padded, width, wrapped};
use crate::terminal::Colors;

/// Lines are not wider than this on wider terminals either, where they would be hard to read.
const MOST_COLUMNS: usize = 100;

/// With less room beside what comes before it, a sentence that is wrapped begins on the next line.
const LEAST_ROOM: usize = 24;

/// Where it then begins.
const INDENT: usize = 2;

/// The format, and the width of the widest subject so far, which aligns the sentences.
#[derive(Debug)]
pub(super) struct TextFormat {
    colors: Colors,
    zone: TimeZone,
    subject_columns: usize,
}

/// A part of a line and its escape sequence.
#[derive(Clone)]
struct Piece {
    style: &'static str,
    text: String,
}

const NORMAL: &str = "";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const MAGENTA: &str = "\x1b[1;35m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

impl TextFormat {
    /// Reads the time zone of the system, or else takes UTC. This needs more stack than the writer has.
    pub(super) fn new(colors: Colors) -> Self {
        Self { colors, zone: TimeZone::system(), subject_columns: 0 }
    }

    /// The lines of a message on a terminal of this width.
    pub(super) fn lines(&mut self, Folded { message, times }: &Folded, columns: Option<usize>) -> String {
        let columns = columns.map_or(MOST_COLUMNS, |columns| columns.min(MOST_COLUMNS));
        let front = self.front(message, columns);
        let indent: usize = front.iter().map(|piece| width(&piece.text)).sum();
        let room = columns.saturating_sub(indent);
        let sentence = Sentence::of(message);
        if is_frequent(message) {
            self.joined(&front, &[cut_sentence(&sentence, message.kind, *times, room)], indent)
        } else if room < LEAST_ROOM {
            let below = wrapped_sentence(&sentence, columns.saturating_sub(INDENT).max(LEAST_ROOM));
            self.joined(&front, &[vec![Vec::new()], below].concat(), INDENT)
        } else {
            self.joined(&front, &wrapped_sentence(&sentence, room), indent)
        }
    }

    /// What comes before the sentence.
    fn front(&mut self, message: &Message, columns: usize) -> Vec<Piece> {
        let time = self.zone.to_datetime(message.time).time();
        let time = format!("{:02}:{:02}:{:02}.{:03} ", time.hour(), time.minute(), time.second(), time.millisecond());
        let (kind, style) = kind(message.kind);
        let subject = subject(message, columns / 4);
        if !subject.is_empty() {
            self.subject_columns = self.subject_columns.max(width(&subject)).min(columns / 4);
        }
        let subject = if subject.is_empty() { subject } else { padded(&subject, self.subject_columns) + "  " };
        vec![
            Piece { style: DIM, text: time },
            Piece { style, text: format!("{kind:<6}") },
            Piece { style: CYAN, text: subject },
        ]
    }

    /// The lines of the body, each after the first one indented.
    fn joined(&self, front: &[Piece], body: &[Vec<Piece>], indent: usize) -> String {
        let mut text: String = front.iter().map(|piece| self.styled(piece)).collect();
        for (line, number) in body.iter().zip(0..) {
            if number > 0 {
                text += &" ".repeat(indent);
            }
            text.extend(line.iter().map(|piece| self.styled(piece)));
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }

    fn styled(&self, Piece { style, text }: &Piece) -> String {
        match self.colors {
            Colors::On if !style.is_empty() && !text.is_empty() => format!("{style}{text}{RESET}"),
            Colors::On | Colors::Off => text.clone(),
        }
    }
}

/// Whether there may be many such lines, so that one that is long may lose its end.
fn is_frequent(message: &Message) -> bool {
    !matches!(message.kind, Kind::Error | Kind::Warn) && message.field("conn").is_some()
}

fn kind(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Error => ("ERROR", RED),
        Kind::Warn => ("warn", YELLOW),
        Kind::Fault => ("fault", MAGENTA),
        Kind::Info => ("info", DIM),
        Kind::Debug => ("debug", DIM),
    }
}

/// `db #12`, of which the name is cut.
fn subject(message: &Message, columns: usize) -> String {
    let Some(route) = message.field("route").map(crate::columns::printable) else { return String::new() };
    let number = message.field("conn").map(|number| format!(" #{number}")).unwrap_or_default();
    cut(&route, columns.saturating_sub(width(&number))) + &number
}

/// The sentence on one line.
fn cut_sentence(Sentence { head, rest, .. }: &Sentence, kind: Kind, times: u64, columns: usize) -> Vec<Piece> {
    let repeats = if times > 1 { format!(" … ×{times}") } else { String::new() };
    let columns = columns.saturating_sub(width(&repeats));
    let head = cut(head, columns);
    let rest = cut(rest, columns.saturating_sub(width(&head)));
    let style = if kind == Kind::Fault { MAGENTA } else { NORMAL };
    vec![Piece { style, text: head }, Piece { style: NORMAL, text: rest }, Piece { style: BOLD, text: repeats }]
}

/// The sentence and its hint, on as many lines as they need.
fn wrapped_sentence(Sentence { head, rest, hint }: &Sentence, columns: usize) -> Vec<Vec<Piece>> {
    let hint = hint.iter().flat_map(|hint| wrapped_pieces(hint, DIM, columns));
    wrapped_pieces(&format!("{head}{rest}"), NORMAL, columns).into_iter().chain(hint).collect()
}

fn wrapped_pieces(text: &str, style: &'static str, columns: usize) -> Vec<Vec<Piece>> {
    wrapped(text, columns).into_iter().map(|text| vec![Piece { style, text }]).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn message(kind: Kind, text: &str, fields: &[(&str, &str)]) -> Folded {
        let fields = fields.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let time = Timestamp::from_millisecond(45_296_283).expect("in range");
        Folded { message: Message { time, kind, text: text.to_owned(), fields }, times: 1 }
    }

    fn format(colors: Colors) -> TextFormat {
        TextFormat { colors, zone: TimeZone::UTC, subject_columns: 0 }
    }

    #[track_caller]
    fn assert_lines(folded: &Folded, columns: usize, expected: &str) {
        assert_eq!(format(Colors::Off).lines(folded, Some(columns)), expected);
    }

    #[test]
    fn a_line_has_time_kind_subject_and_sentence() {
        let opened = message(Kind::Info, "connection opened", &[("route", "db"), ("conn", "12"), ("client", "a:1")]);
        assert_lines(&opened, 80, "12:34:56.283 info  db #12  opened from a:1\n");
        assert_lines(&message(Kind::Warn, "text", &[]), 80, "12:34:56.283 warn  text\n");
        assert_lines(&message(Kind::Error, "text", &[]), 80, "12:34:56.283 ERROR text\n");
        assert_lines(&message(Kind::Debug, "text", &[]), 80, "12:34:56.283 debug text\n");
    }

    #[test]
    fn sentences_begin_in_the_same_column() {
        let mut format = format(Colors::Off);
        format.lines(&message(Kind::Info, "text", &[("route", "a longer one"), ("conn", "1")]), None);
        let line = format.lines(&message(Kind::Info, "text", &[("route", "db")]), None);
        assert_eq!(line, "12:34:56.283 info  db               text\n");
    }

    #[test]
    fn a_long_line_is_cut_but_keeps_number_and_repeats() {
        let fields = [
            ("route", "a name that is far too long"),
            ("conn", "1234"),
            ("fault", "latency"),
            ("toxic", "日本語日本語"),
        ];
        let Folded { message, .. } = message(Kind::Fault, "fault injected", &fields);
        let folded = Folded { message, times: 37 };
        let line = "12:34:56.283 fault a name… #1234  latency by 日… … ×37\n";
        assert_lines(&folded, 55, line);
        assert!(width(line.trim_end()) <= 55);
        let narrow = format(Colors::Off).lines(&folded, Some(1));
        assert!(narrow.ends_with(" … ×37\n"), "{narrow}");
    }

    #[test]
    fn what_is_logged_seldom_is_wrapped() {
        let error = [("route", "db"), ("error", "one two three four five six seven"), ("hint", "do this and that")];
        let expected = "\
12:34:56.283 ERROR db  can't listen: one two
                       three four five six
                       seven
                       do this and that
";
        assert_lines(&message(Kind::Error, "can't listen", &error), 47, expected);
        let draining = message(Kind::Info, "draining", &[("left", "3"), ("hint", "do this")]);
        let listening = message(Kind::Info, "listening", &[("route", "db"), ("addr", "127.0.0.1:8180")]);
        assert_lines(&listening, 47, "12:34:56.283 info  db  listening on\n                       127.0.0.1:8180\n");
        assert_lines(&listening, 46, "12:34:56.283 info  db\n  listening on 127.0.0.1:8180\n");
        assert_lines(&listening, 10, "12:34:56.283 info  db\n  listening on\n  127.0.0.1:8180\n");
        assert_lines(&draining, 45, "12:34:56.283 info  draining, 3 left\n                   do this\n");
    }

    #[test]
    fn lines_are_not_wider_than_100_columns_on_wide_terminals() {
        let folded = message(Kind::Info, &"x".repeat(200), &[("conn", "1")]);
        let line = format(Colors::Off).lines(&folded, Some(300));
        assert_eq!(width(line.trim_end()), MOST_COLUMNS);
    }

    #[test]
    fn colors_change_nothing_but_colors() {
        let fields = [("route", "db"), ("conn", "1"), ("fault", "drop"), ("mode", "reset")];
        let folded = message(Kind::Fault, "fault injected", &fields);
        let colored = format(Colors::On).lines(&folded, None);
        let expected =
            "\x1b[2m12:34:56.283 \x1b[0m\x1b[1;35mfault \x1b[0m\x1b[36mdb #1  \x1b[0m\x1b[1;35mdrop\x1b[0m reset\n";
        assert_eq!(colored, expected);
        let plain = format(Colors::Off).lines(&folded, None);
        assert_eq!(plain, "12:34:56.283 fault db #1  drop reset\n");
    }
}
