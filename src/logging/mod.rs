//! The log: which records become lines, and where the lines go. Logging never blocks. The texts live in `event`.
//!
//! `format` writes a record as logfmt or as JSON. `stderr` queues lines for a thread that writes them to an `output`, and
//! `follow` queues them for readers of the events. If a reader is too slow, its lines are dropped and counted.
//!
//! For a terminal, the thread that writes to stderr gets a `message` in place of a line. It folds repeats (`fold`), writes
//! a sentence (`phrases`) in the width of the terminal (`text`), and keeps the status line below the log (`screen`).

mod fold;
mod follow;
mod format;
mod message;
mod output;
mod phrases;
mod screen;
mod stderr;
mod text;

use std::env;
use std::io;
use std::str::FromStr;

use env_logger::{Builder, Target};
use log::{LevelFilter, Metadata, Record};

pub use follow::{Follower, follow};
pub use format::LogfmtValue;
pub use output::LogOutput;
pub use stderr::{Log, StatusWriter, lost_lines};

use crate::terminal::Terminal;
use message::Message;
use stderr::QueueWriter;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, logfmt in files and pipes.
    #[default]
    Auto,
    /// Sentences for people.
    Text,
    /// `key=value` pairs, with values quoted where needed.
    Logfmt,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// The words of flags, and their formats.
    pub const NAMED: [(&'static str, Self); 4] =
        [("auto", Self::Auto), ("text", Self::Text), ("logfmt", Self::Logfmt), ("json", Self::Json)];

    /// Replaces `Auto` by the format that suits stderr.
    #[must_use]
    pub fn on(self, stderr: Terminal) -> Self {
        match self {
            Self::Auto if stderr.is_present() => Self::Text,
            Self::Auto => Self::Logfmt,
            given => given,
        }
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| *format).ok_or("use auto, text, logfmt or json")
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
    pub const NAMED: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("faults", Self::Faults),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    /// The word of the flags.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMED.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }

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
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, level)| *level).ok_or("use error, faults, warn, info or debug")
    }
}

/// Installs the process's logger. Without a `level`, `RUST_LOG` sets the level; the default is info.
///
/// # Errors
/// The writer thread can't be spawned, or a logger is already installed.
pub fn start(level: Option<LogLevel>, format: LogFormat, output: LogOutput) -> io::Result<Log> {
    let terminal = output.terminal();
    let log = Log::start(output)?;
    let mut builder = Builder::new();
    level.unwrap_or(LogLevel::Info).apply(&mut builder);
    // An empty RUST_LOG, or one that names modules of other programs only, keeps the default level.
    if let (None, Ok(filters)) = (level, env::var("RUST_LOG")) {
        builder.parse_filters(&filters);
    }
    builder.target(Target::Pipe(Box::new(log.writer())));
    install(match format.on(terminal) {
        LogFormat::Json => Stderr::Lines(builder.format(format::write_json).build()),
        LogFormat::Auto | LogFormat::Logfmt => Stderr::Lines(builder.format(format::write_logfmt).build()),
        LogFormat::Text => Stderr::Messages(builder.build(), log.writer()),
    })?;
    Ok(log)
}

fn install(stderr: Stderr) -> io::Result<()> {
    let level = stderr.filter().filter();
    log::set_boxed_logger(Box::new(Logger { stderr })).map_err(io::Error::other)?;
    log::set_max_level(level);
    Ok(())
}

/// The process's logger.
struct Logger {
    stderr: Stderr,
}

/// How records reach the writer of stderr, and the filter that they pass.
enum Stderr {
    /// As lines.
    Lines(env_logger::Logger),
    /// As they are.
    Messages(env_logger::Logger, QueueWriter),
}

impl Stderr {
    fn filter(&self) -> &env_logger::Logger {
        match self {
            Self::Lines(filter) | Self::Messages(filter, _) => filter,
        }
    }

    fn log(&self, record: &Record<'_>) {
        match self {
            Self::Lines(lines) => log::Log::log(lines, record),
            Self::Messages(filter, queue) if filter.matches(record) => queue.offer(Message::of(record)),
            Self::Messages(..) => {}
        }
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.stderr.filter().enabled(metadata) || follow::wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.stderr.log(record);
        follow::publish(record);
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_suits_stderr_unless_it_is_given() {
        for (format, terminal, expected) in [
            (LogFormat::Auto, Terminal::Absent, LogFormat::Logfmt),
            (LogFormat::Auto, Terminal::Dumb, LogFormat::Text),
            (LogFormat::Auto, Terminal::Colored, LogFormat::Text),
            (LogFormat::Json, Terminal::Colored, LogFormat::Json),
            (LogFormat::Text, Terminal::Absent, LogFormat::Text),
        ] {
            assert_eq!(format.on(terminal), expected, "{format:?} on {terminal:?}");
        }
    }
}
