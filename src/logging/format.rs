//! The two formats of a log line. Which lines are logged and where they go is decided elsewhere.

use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};

pub(super) fn write_logfmt(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (Timestamp::now(), lower_case(record.level()));
    write!(out, "time={time:.3} level={level} msg={}", LogfmtValue(&record.args().to_string()))?;
    record.key_values().visit(&mut Logfmt(out)).map_err(io::Error::other)?;
    writeln!(out)
}

pub(super) fn write_json(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (Timestamp::now(), lower_case(record.level()));
    write!(out, r#"{{"time":"{time:.3}","level":"{level}","msg":{}"#, json_text(&record.args().to_string()))?;
    record.key_values().visit(&mut Json(out)).map_err(io::Error::other)?;
    writeln!(out, "}}")
}

struct Logfmt<'a, W>(&'a mut W);

impl<'kvs, W: Write> VisitSource<'kvs> for Logfmt<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        Ok(write!(self.0, " {key}={}", LogfmtValue(&value.to_string()))?)
    }
}

struct Json<'a, W>(&'a mut W);

impl<'kvs, W: Write> VisitSource<'kvs> for Json<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let text = value.to_string();
        let is_number = value.to_u64().is_some() || value.to_f64().is_some_and(f64::is_finite);
        let json = if is_number { text } else { json_text(&text) };
        Ok(write!(self.0, ",{}:{json}", json_text(key.as_str()))?)
    }
}

/// Displays a value of logfmt: quoted and escaped as in JSON, which readers of Go's `%q` accept too, unless it needs no
/// quotes.
#[derive(Clone, Copy, Debug)]
pub struct LogfmtValue<'a>(pub &'a str);

impl fmt::Display for LogfmtValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_special = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '=' | '\\');
        if self.0.is_empty() || self.0.contains(is_special) {
            f.write_str(&json_text(self.0))
        } else {
            f.write_str(self.0)
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn lower_case(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of a record, without its time.
    fn line(write: fn(&mut Vec<u8>, &Record<'_>) -> io::Result<()>, time: &str) -> String {
        let values = [("n", Value::from(7)), ("x", Value::from(0.5)), ("text", Value::from("a \"b\""))];
        let mut record = Record::builder();
        let mut line = Vec::new();
        write(&mut line, &record.level(Level::Warn).args(format_args!("two words")).key_values(&values).build())
            .expect("a Vec takes all");
        let line = String::from_utf8(line).expect("UTF-8");
        let rest = line.strip_prefix(time).expect("the time is first");
        let length = "2026-01-01T00:00:00.000Z".len();
        rest[..length].parse::<Timestamp>().expect("a time with milliseconds");
        rest[length..].to_owned()
    }

    #[test]
    fn values_are_quoted_as_their_format_requires() {
        let expected = " level=warn msg=\"two words\" n=7 x=0.5 text=\"a \\\"b\\\"\"\n";
        assert_eq!(line(write_logfmt, "time="), expected);
        let expected = "\",\"level\":\"warn\",\"msg\":\"two words\",\"n\":7,\"x\":0.5,\"text\":\"a \\\"b\\\"\"}\n";
        assert_eq!(line(write_json, "{\"time\":\""), expected);
    }
}
