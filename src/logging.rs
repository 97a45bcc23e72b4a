//! How a log line looks (key=value or JSON) and how it gets to stderr: through a bounded queue and a thread of its own, so
//! that a reader that stops reading costs lines, which are counted, and never time. What the lines say is `event`.

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

/// Lines that wait for a slow reader: about 1 MiB of them.
const QUEUE_LINES: usize = 4096;

/// Between a line and its writing. While the writer is awake, whoever logs need not wake it, and many lines are written
/// with one call. It took the cost of the log from 23 to 6 % of the connection rate.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the run waits for the last lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`, values quoted where they need it.
    #[default]
    Logfmt,
    /// One JSON object a line.
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

/// The running log. Flushes when it is dropped.
#[derive(Debug)]
pub struct Log {
    queue: Sender<Entry>,
}

/// Sets the process's logger up. Without a `level` the environment's `RUST_LOG` decides, and info where it is silent.
///
/// # Errors
/// There is no thread for the writer, or a logger is set already.
pub fn start(level: Option<LevelFilter>, format: LogFormat) -> io::Result<Log> {
    let (queue, entries) = crossbeam_channel::bounded(QUEUE_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = QueueWriter { queue: queue.clone(), lost: Arc::clone(&lost) };
    let mut builder = Builder::new();
    builder.filter_level(level.unwrap_or(LevelFilter::Info));
    // Set to nothing, or for some other program's modules only, it leaves our level as it is.
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
        // Whoever reads the log may have stopped: what is not read by then is lost with the process.
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

/// Where `env_logger` writes: it hands over a whole line each time, and never waits.
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

/// The thread that waits for the reader.
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

    /// The count is of the whole run, so that it is not lost when this line is. An error, so that --quiet does not hide it.
    fn report_losses(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost != self.reported {
            self.reported = lost;
            error!(lost; "log lines lost, whoever reads them is too slow");
        }
    }
}

/// Writes the lines that there are with one call, and returns who waits for it.
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

/// Waits for the reader, also where somebody has set the pipe to refuse instead.
fn write_to_stderr(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match io::stderr().write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Were it to fail, the next write would tell.
                let _ = poll(&mut [PollFd::new(&io::stderr(), PollFlags::OUT)], None);
            }
            // Nobody is left to tell that stderr is closed.
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

/// A logfmt value: quoted and escaped as JSON has it (which Go's `%q` readers take as well) unless it is a plain word.
struct LogfmtValue<'a>(&'a str);

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
