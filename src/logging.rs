//! Formats log lines (logfmt or JSON) and writes them to stderr. Lines pass through a bounded queue to a writer thread,
//! so logging never blocks: if the reader of stderr stops, lines are dropped and counted. The texts live in `event`.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::iter;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use env_logger::fmt::Formatter;
use env_logger::{Builder, Target};
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Record, error};
use rustix::event::{PollFd, PollFlags, poll};

use crate::threads;

/// The number of lines queued for a slow reader: about 1 MiB.
const QUEUE_LINES: usize = 4096;

/// The pause in which the writer thread collects lines into one write(2). A thread that logs meanwhile need not wake
/// the writer. The pause cut the cost of the log from 23 to 6 % of the connection rate.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the run waits for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs, with values quoted where needed.
    #[default]
    Logfmt,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err("use logfmt or json"),
        }
    }
}

/// The target of lines about injected faults, for filters in `RUST_LOG`.
pub const FAULTS: &str = concat!(env!("CARGO_CRATE_NAME"), "::faults");

/// Which lines are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// Injected faults and errors.
    Faults,
    /// Warnings and errors.
    Warn,
    /// All but debug lines.
    Info,
    /// All lines.
    Debug,
}

impl LogLevel {
    /// The words of flags, and their levels.
    const WORDS: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("faults", Self::Faults),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    fn apply(self, builder: &mut Builder) {
        match self {
            Self::Error => builder.filter_level(LevelFilter::Error),
            Self::Faults => builder.filter_level(LevelFilter::Error).filter_module(FAULTS, LevelFilter::Info),
            Self::Warn => builder.filter_level(LevelFilter::Warn),
            Self::Info => builder.filter_level(LevelFilter::Info),
            Self::Debug => builder.filter_level(LevelFilter::Debug),
        };
    }
}

impl FromStr for LogLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, level)| *level).ok_or("use error, faults, warn, info or debug")
    }
}

/// The running log. Dropping it flushes the queue.
#[derive(Debug)]
pub struct Log {
    queue: Sender<Entry>,
}

/// Installs the process's logger. Without a `level`, `RUST_LOG` sets the level; the default is info.
///
/// # Errors
/// The writer thread can't be spawned, or a logger is already installed.
pub fn start(level: Option<LogLevel>, format: LogFormat) -> io::Result<Log> {
    let (queue, entries) = crossbeam_channel::bounded(QUEUE_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = QueueWriter { queue: queue.clone(), lost: Arc::clone(&lost) };
    let mut builder = Builder::new();
    level.unwrap_or(LogLevel::Info).apply(&mut builder);
    // An empty RUST_LOG, or one that names modules of other programs only, keeps the default level.
    if let (None, Ok(filters)) = (level, env::var("RUST_LOG")) {
        builder.parse_filters(&filters);
    }
    builder.target(Target::Pipe(Box::new(writer))).format(match format {
        LogFormat::Logfmt => write_logfmt,
        LogFormat::Json => write_json,
    });
    builder.try_init().map_err(io::Error::other)?;
    threads::spawn("log", move || StderrWriter { lost, reported: 0 }.run(&entries))?;
    Ok(Log { queue })
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, flushed) = crossbeam_channel::bounded(1);
        // The reader of stderr may have stopped. Lines not written by the timeout are lost with the process.
        if self.queue.send_timeout(Entry::Flush(done), FLUSH_TIMEOUT).is_ok() {
            let _ = flushed.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Queues what `env_logger` writes, which is one whole line per call. Never blocks.
struct QueueWriter {
    queue: Sender<Entry>,
    lost: Arc<AtomicU64>,
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writer thread, the only one that blocks on stderr.
struct StderrWriter {
    lost: Arc<AtomicU64>,
    reported: u64,
}

impl StderrWriter {
    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(first) = entries.recv() {
            thread::sleep(BATCH_DELAY);
            let flush_request = write_batch(iter::once(first).chain(entries.try_iter()));
            self.report_losses();
            if let Some(done) = flush_request {
                write_batch(entries.try_iter());
                let _ = done.try_send(());
            }
        }
    }

    /// Logs the total of the run, so that a lost report is made up for by the next one. The level is error, so that
    /// `--quiet` does not hide it.
    fn report_losses(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost != self.reported {
            self.reported = lost;
            error!(lost; "log lines lost, the reader of stderr is too slow");
        }
    }
}

/// Writes all queued lines with one call. Returns the sender of a flush request among them.
fn write_batch(entries: impl Iterator<Item = Entry>) -> Option<Sender<()>> {
    let (mut lines, mut flush_request) = (Vec::new(), None);
    for entry in entries.take(QUEUE_LINES) {
        match entry {
            Entry::Line(line) => lines.extend(line),
            Entry::Flush(done) => flush_request = Some(done),
        }
    }
    write_to_stderr(&lines);
    flush_request
}

/// Blocks until all bytes are written, even if another process has made the pipe non-blocking.
fn write_to_stderr(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match io::stderr().write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // If poll(2) fails, the next write reports the error.
                let _ = poll(&mut [PollFd::new(&io::stderr(), PollFlags::OUT)], None);
            }
            // stderr is closed, so there is nowhere to report the error.
            Err(_) => return,
        }
    }
}

fn write_logfmt(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (out.timestamp_millis(), lower_case(record.level()));
    write!(out, "time={time} level={level} msg={}", LogfmtValue(&record.args().to_string()))?;
    record.key_values().visit(&mut Logfmt(out)).map_err(io::Error::other)?;
    writeln!(out)
}

fn write_json(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (out.timestamp_millis(), lower_case(record.level()));
    write!(out, r#"{{"time":"{time}","level":"{level}","msg":{}"#, json_text(&record.args().to_string()))?;
    record.key_values().visit(&mut Json(out)).map_err(io::Error::other)?;
    writeln!(out, "}}")
}

struct Logfmt<'a>(&'a mut Formatter);

impl<'kvs> VisitSource<'kvs> for Logfmt<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        Ok(write!(self.0, " {key}={}", LogfmtValue(&value.to_string()))?)
    }
}

struct Json<'a>(&'a mut Formatter);

impl<'kvs> VisitSource<'kvs> for Json<'_> {
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
