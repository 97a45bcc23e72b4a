//! The log: which records become lines, and where the lines go. Logging never blocks. The texts live in `event`.
//!
//! `format` writes a record as logfmt or as JSON. `stderr` queues lines for a thread that writes them to an `output`, and
//! `follow` queues them for readers of the events. If a reader is too slow, its lines are dropped and counted.

mod follow;
mod format;
mod output;
mod stderr;

use std::env;
use std::io;
use std::str::FromStr;

use env_logger::{Builder, Target};
use log::{LevelFilter, Metadata, Record};

pub use follow::{Follower, follow};
pub use format::LogfmtValue;
pub use output::LogOutput;
pub use stderr::{Log, lost_lines};

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

/// Installs the process's logger. Without a `level`, `RUST_LOG` sets the level; the default is info.
///
/// # Errors
/// The writer thread can't be spawned, or a logger is already installed.
pub fn start(level: Option<LogLevel>, format: LogFormat, output: LogOutput) -> io::Result<Log> {
    let log = Log::start(output)?;
    let mut builder = Builder::new();
    level.unwrap_or(LogLevel::Info).apply(&mut builder);
    // An empty RUST_LOG, or one that names modules of other programs only, keeps the default level.
    if let (None, Ok(filters)) = (level, env::var("RUST_LOG")) {
        builder.parse_filters(&filters);
    }
    builder.target(Target::Pipe(Box::new(log.writer()))).format(match format {
        LogFormat::Logfmt => format::write_logfmt,
        LogFormat::Json => format::write_json,
    });
    install(builder.build())?;
    Ok(log)
}

fn install(stderr: env_logger::Logger) -> io::Result<()> {
    let level = stderr.filter();
    log::set_boxed_logger(Box::new(Logger { stderr })).map_err(io::Error::other)?;
    log::set_max_level(level);
    Ok(())
}

/// The process's logger.
struct Logger {
    stderr: env_logger::Logger,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.stderr.enabled(metadata) || follow::wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.stderr.log(record);
        follow::publish(record);
    }

    fn flush(&self) {}
}
