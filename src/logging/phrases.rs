//! The fields of a message as phrases for people: in the order of a sentence, with units, and without values that say
//! nothing.

use std::time::Duration;

use super::message::{Kind, Message};
use crate::columns::printable;
use crate::units;

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// What comes first: the fault, or what has happened.
    pub(super) head: String,
    /// The rest of the sentence.
    pub(super) rest: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// How a value is read.
#[derive(Clone, Copy)]
enum Reading {
    /// After this text.
    After(&'static str),
    /// Between these texts.
    Between(&'static str, &'static str),
    /// A number of microseconds, after this text.
    Micros(&'static str),
    /// A number of bytes, after this text.
    Bytes(&'static str),
    /// The sums of toxics.
    Sums,
    /// As an arrow, up to the upstream or down to the client.
    Arrow,
}

use Reading::{After, Arrow, Between, Bytes, Micros, Sums};

/// The readings of the keys of a fault, in the order in which they are read.
const OF_FAULTS: &[(&str, Reading)] = &[
    ("fault", After("")),
    ("stream", Arrow),
    ("mode", After(" ")),
    ("latency_us", Micros(" ")),
    ("delay_us", Micros(" ")),
    ("held", After(" ")),
    ("bytes", Bytes(" ")),
    ("toxic", After(" by ")),
    ("offset", After(" at byte ")),
    ("times", After(", act ")),
];

/// The same for all other messages. Keys that are not in it follow.
const OF_OTHERS: &[(&str, Reading)] = &[
    ("host", After(" ")),
    ("stream", Arrow),
    ("addr", After(" on ")),
    ("upstream", After(" → ")),
    ("ip", After(" → ")),
    ("connect_us", Micros(" in ")),
    ("at", After(" at ")),
    ("by", After(" by ")),
    ("why", After(": ")),
    ("what", After(": ")),
    ("metric", After(": ")),
    ("want", After(" ")),
    ("command", After(": ")),
    ("signal", After(": ")),
    ("status", After(": ")),
    ("problem", After(": ")),
    ("error", After(": ")),
    ("change", After(": ")),
    ("client", After(" from ")),
    ("age_us", Micros(" for ")),
    ("duration_us", Micros(" after ")),
    ("bytes_up", Bytes(", ↑ ")),
    ("bytes_down", Bytes(", ↓ ")),
    ("drop_rate", After(", drop rate ")),
    ("drop_mode", Between(" (", ")")),
    ("latency_us", Micros(", latency ")),
    ("toxics", Sums),
    ("left", Between(", ", " left")),
    ("more", Between(": and ", " more")),
];

/// Where the client of a connection is named. All of its other lines have its number.
const WITH_CLIENT: [&str; 2] = ["connection opened", "still open"];

impl Sentence {
    pub(super) fn of(message: &Message) -> Self {
        let mut sentence = Self { head: head(message), ..Self::default() };
        let readings = if message.kind == Kind::Fault { OF_FAULTS } else { OF_OTHERS };
        let known = readings.iter().filter_map(|(key, reading)| Some((*key, message.field(key)?, Some(*reading))));
        let is_known = |key: &str| readings.iter().any(|(known, _)| key == *known);
        let others = message.fields.iter().filter(|(key, _)| !is_known(key));
        let others = others.map(|(key, value)| (key.as_str(), value.as_str(), None));
        for (key, value, reading) in known.chain(others).filter(|(key, value, _)| is_read(message, key, value)) {
            sentence.add(message.kind, key, value, reading);
        }
        sentence
    }

    fn add(&mut self, kind: Kind, key: &str, value: &str, reading: Option<Reading>) {
        match (key, kind) {
            ("hint", _) => self.hint = Some(printable(value)),
            // The kind says already that a fault was injected.
            ("fault", Kind::Fault) => self.head = printable(value),
            _ => self.rest += &reading.map_or_else(|| pair(key, value), |reading| reading.phrase(value)),
        }
    }
}

/// The subject of a sentence about a connection is beside it.
fn head(message: &Message) -> String {
    let verb = message.text.strip_prefix("connection ").filter(|_| message.field("conn").is_some());
    printable(verb.unwrap_or(&message.text))
}

/// Whether a field belongs to the sentence. The route and the number are beside it, and so is the address of a port.
fn is_read(message: &Message, key: &str, value: &str) -> bool {
    match key {
        "route" | "conn" | "port" => false,
        "toxic" => !is_default_name(message, value),
        "client" => WITH_CLIENT.contains(&&*message.text),
        "times" | "round" => value != "1",
        "drop_rate" | "latency_us" | "toxics" => value != "0",
        "drop_mode" => message.field("drop_rate").is_some_and(|rate| rate != "0"),
        _ => true,
    }
}

/// Whether a toxic is called after its type and stream, which the sentence has already.
fn is_default_name(message: &Message, toxic: &str) -> bool {
    let stream = message.field("fault").and_then(|kind| toxic.strip_prefix(kind)?.strip_prefix('_'));
    stream.is_some_and(|stream| stream == "both" || Some(stream) == message.field("stream"))
}

impl Reading {
    fn phrase(self, value: &str) -> String {
        match self {
            After(before) => format!("{before}{}", printable(value)),
            Between(before, after) => format!("{before}{}{after}", printable(value)),
            Micros(before) => format!("{before}{}", micros(value)),
            Bytes(before) => format!("{before}{}", bytes(value)),
            Sums => sums(value),
            Arrow => arrow(value),
        }
    }
}

/// `, max connections 8150`; a key with a unit gives it to its value.
fn pair(key: &str, value: &str) -> String {
    let words = |key: &str| printable(key).replace('_', " ");
    match key.strip_suffix("_us") {
        Some(key) => format!(", {} {}", words(key), micros(value)),
        None => format!(", {} {}", words(key), printable(value)),
    }
}

fn arrow(stream: &str) -> String {
    match stream {
        "upstream" => " ↑".to_owned(),
        "downstream" => " ↓".to_owned(),
        other => format!(" {}", printable(other)),
    }
}

fn micros(value: &str) -> String {
    value.parse().map_or_else(|_| printable(value), |micros| units::duration(Duration::from_micros(micros)))
}

fn bytes(value: &str) -> String {
    value.parse().map_or_else(|_| printable(value), units::bytes)
}

/// `corrupt_downstream=3,3B latency_both=12,200000us` as `, corrupt_downstream ×3 3 B, latency_both ×12 200 ms`.
fn sums(value: &str) -> String {
    if let Ok(number) = value.parse::<u64>() {
        return format!(", {number} toxic{}", if number == 1 { "" } else { "s" });
    }
    outside_quotes(value).iter().map(|sum| sum_of_toxic(sum)).collect()
}

fn sum_of_toxic(text: &str) -> String {
    let Some((name, (times, amount))) =
        text.rsplit_once('=').and_then(|(name, sum)| Some((name, sum.split_once(',')?)))
    else {
        return format!(", {}", printable(text));
    };
    let amount = match (amount.strip_suffix("us"), amount.strip_suffix('B')) {
        (Some(number), _) => micros(number),
        (None, Some(number)) => bytes(number),
        (None, None) => printable(amount),
    };
    format!(", {} ×{times} {amount}", printable(name))
}

/// Splits at the spaces that are not within quotes.
fn outside_quotes(text: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|letter: char| {
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        letter == ' ' && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[track_caller]
    fn assert_reads(kind: Kind, text: &str, fields: &[(&str, &str)], expected: &str) {
        let fields = fields.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let message = Message { time: Timestamp::UNIX_EPOCH, kind, text: text.to_owned(), fields };
        let Sentence { head, rest, .. } = Sentence::of(&message);
        assert_eq!(head + &rest, expected);
    }

    #[test]
    fn connections_are_read_as_sentences() {
        let opened = [("route", "db"), ("conn", "1"), ("client", "127.0.0.1:54092")];
        assert_reads(Kind::Info, "connection opened", &opened, "opened from 127.0.0.1:54092");
        let connected = [("conn", "1"), ("client", "x"), ("upstream", "127.0.0.1:9090"), ("connect_us", "109")];
        assert_reads(Kind::Info, "upstream connected", &connected, "upstream connected → 127.0.0.1:9090 in 109 µs");
        let closed =
            [("conn", "1"), ("bytes_up", "78"), ("bytes_down", "11900"), ("duration_us", "103000"), ("why", "cut")];
        let expected = "closed: cut after 103 ms, ↑ 78 B, ↓ 11.9 kB";
        assert_reads(Kind::Info, "connection closed", &closed, expected);
    }

    #[test]
    fn faults_are_read_without_the_message() {
        let drop = [("fault", "drop"), ("mode", "reset")];
        assert_reads(Kind::Fault, "fault injected", &drop, "drop reset");
        let latency = [("fault", "latency"), ("latency_us", "100000")];
        assert_reads(Kind::Fault, "fault injected", &latency, "latency 100 ms");
        let toxic = [
            ("fault", "latency"),
            ("toxic", "slow"),
            ("stream", "downstream"),
            ("offset", "1448"),
            ("delay_us", "200000"),
            ("times", "4"),
        ];
        let expected = "latency ↓ 200 ms by slow at byte 1448, act 4";
        assert_reads(Kind::Fault, "fault injected", &toxic, expected);
    }

    #[test]
    fn default_names_of_toxics_are_not_repeated() {
        for (name, expected) in [
            ("latency_downstream", "latency ↓ 3 B"),
            ("latency_both", "latency ↓ 3 B"),
            ("latency_upstream", "latency ↓ 3 B by latency_upstream"),
            ("latency", "latency ↓ 3 B by latency"),
        ] {
            let fields = [("fault", "latency"), ("toxic", name), ("stream", "downstream"), ("bytes", "3")];
            assert_reads(Kind::Fault, "fault injected", &fields, expected);
        }
    }

    #[test]
    fn values_that_say_nothing_are_left_out() {
        let listening = [
            ("addr", "127.0.0.1:8180"),
            ("upstream", "127.0.0.1:9090"),
            ("drop_rate", "0"),
            ("drop_mode", "close"),
            ("latency_us", "0"),
            ("toxics", "0"),
        ];
        assert_reads(Kind::Info, "listening", &listening, "listening on 127.0.0.1:8180 → 127.0.0.1:9090");
        let faults = [("drop_rate", "0.5"), ("drop_mode", "reset"), ("latency_us", "1000"), ("toxics", "1")];
        let expected = "listening, drop rate 0.5 (reset), latency 1 ms, 1 toxic";
        assert_reads(Kind::Info, "listening", &faults, expected);
    }

    #[test]
    fn unknown_fields_follow_with_their_keys() {
        let fields = [("max_connections", "9"), ("paused_us", "1500000"), ("left", "3")];
        assert_reads(Kind::Info, "text", &fields, "text, 3 left, max connections 9, paused 1.5 s");
    }

    #[test]
    fn changes_and_results_are_read_as_sentences() {
        let step = [("at", "1s"), ("route", "*"), ("what", "set dropRate 0.5"), ("round", "1"), ("late_us", "40")];
        assert_reads(Kind::Info, "scenario step", &step, "scenario step at 1s: set dropRate 0.5, late 40 µs");
        let changed = [("route", "db"), ("change", "dropRate 0 -> 0.5"), ("by", "10.0.0.1:2"), ("connections", "3")];
        let expected = "route changed by 10.0.0.1:2: dropRate 0 -> 0.5, connections 3";
        assert_reads(Kind::Info, "route changed", &changed, expected);
        let judged = [("route", "db"), ("metric", "connections"), ("want", ">= 100"), ("got", "99")];
        let expected = "expectation failed: connections >= 100, got 99";
        assert_reads(Kind::Error, "expectation failed", &judged, expected);
        let signalled = [("signal", "SIGINT"), ("by", "terminal")];
        assert_reads(Kind::Info, "command signalled", &signalled, "command signalled by terminal: SIGINT");
    }

    #[test]
    fn sums_of_toxics_are_read_with_units() {
        let value = r#"corrupt=3,3B "a \" =b"=12,200000us stall=1,forever"#;
        let expected = r#"closed, corrupt ×3 3 B, "a \" =b" ×12 200 ms, stall ×1 forever"#;
        assert_reads(Kind::Info, "closed", &[("toxics", value)], expected);
        assert_reads(Kind::Info, "listening", &[("toxics", "2")], "listening, 2 toxics");
    }
}
