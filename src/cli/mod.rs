//! The command line: its flags, the help text, and the [`Command`] they parse into. No I/O: `run` executes the command.

mod ctl;
mod flags;
mod help;
mod lone_route;
mod values;

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pico_args::Arguments;

use crate::config::{Defaults, Report};
use crate::ctl::Invocation;
use crate::logging::{LogFormat, LogLevel};
use crate::plan::{Bind, Plan};
pub use ctl::ctl_help;
use flags::{FLAGS, SWITCHES, normalized, raw_value, reject_flags, split_at_double_dash, value};
pub use help::{VERSION, build_details, help};
use lone_route::LoneRoute;
use values::{connections, mebibytes, seconds, seed};

/// What the command line requests.
#[derive(Debug)]
pub enum Command {
    /// Print the [`help`].
    Help,
    /// Print the [`VERSION`].
    Version,
    /// Print the [`build_details`].
    BuildDetails,
    /// Print the JSON Schema of config files.
    Schema,
    /// Validate the routes and exit.
    Check(Routes),
    /// Run the proxy.
    Run(Box<Options>),
    /// Control a running proxy.
    Ctl(Box<Invocation>),
    /// Print the [`ctl_help`].
    CtlHelp,
}

/// The source of the routes.
#[derive(Debug)]
pub enum Routes {
    /// A config file.
    File {
        /// Its path, or `-` for stdin.
        path: PathBuf,
        /// Values for keys that the file leaves out.
        defaults: Defaults,
    },
    /// The flags `--listen`, `--upstream` and so on, which define one route.
    Flags(Plan),
}

/// The options of a run.
#[derive(Debug)]
pub struct Options {
    /// The routes to open.
    pub routes: Routes,
    /// Everything else.
    pub settings: Settings,
    /// Problems of the command line that do not prevent the run.
    pub warnings: Vec<&'static str>,
}

/// Settings of a run that do not depend on its routes.
#[derive(Debug)]
pub struct Settings {
    /// Overrides the seed in the config file.
    pub seed: Option<u64>,
    /// What listens on the upstream addresses.
    pub upstreams: Upstreams,
    /// Lowers the connection cap derived from the system's limits.
    pub max_connections: Option<NonZeroUsize>,
    /// The most bytes that toxics hold in all connections together. `None` derives it from the free memory.
    pub max_buffered: Option<NonZeroUsize>,
    /// The time from the first signal until live connections are cut. `None` waits until they end.
    pub drain_timeout: Option<Duration>,
    /// `None` leaves the level to `RUST_LOG`.
    pub log_level: Option<LogLevel>,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// What listens on the upstream addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstreams {
    /// Servers outside this process.
    External,
    /// The test server in this process.
    TestServer,
}

/// An invalid command line: what is wrong, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// The first flag or operand that is wrong.
    Flag(String),
    /// The same after `ctl`, which has flags of its own.
    Ctl(String),
    /// Every problem of `--profile` and `--toxic`.
    Toxics(Report),
}

type Parsed<T> = Result<T, UsageError>;

/// Parses the arguments, without the program's name.
///
/// # Errors
/// The first error found.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let mut args = args.into_iter().peekable();
    if args.next_if(|first| first == "ctl").is_some() {
        return ctl::parse(args);
    }
    let (flags, rest) = split_at_double_dash(args);
    let mut args = Arguments::from_vec(flags.into_iter().flat_map(|arg| normalized(arg, &SWITCHES)).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::Help);
    }
    if args.contains(["-V", "--version"]) {
        return Ok(if args.contains("--verbose") { Command::BuildDetails } else { Command::Version });
    }
    if args.contains("--schema") {
        return Ok(Command::Schema);
    }
    let flags = ParsedFlags::take_from(&mut args)?;
    let operands = [reject_flags(args.finish(), &FLAGS, &SWITCHES)?, rest].concat();
    match &operands[..] {
        [word] if word == "help" => Ok(Command::Help),
        operands => flags.with_operands(operands)?.into_command(),
    }
}

/// The flags as given: each is valid on its own, their combination is not checked yet.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that was given or not")]
struct ParsedFlags {
    config: Option<PathBuf>,
    bind: Option<Bind>,
    lone_route: LoneRoute,
    seed: Option<u64>,
    max_connections: Option<NonZeroUsize>,
    max_buffered: Option<NonZeroUsize>,
    drain_timeout: Option<Duration>,
    log: Option<LogLevel>,
    log_format: Option<LogFormat>,
    verbose: bool,
    quiet: bool,
    check: bool,
    test_server: bool,
}

impl ParsedFlags {
    fn take_from(args: &mut Arguments) -> Parsed<Self> {
        Ok(Self {
            config: raw_value(args, "--config")?.map(PathBuf::from),
            bind: value(args, "--bind", Bind::from_str)?,
            lone_route: LoneRoute::take_from(args)?,
            seed: value(args, "--seed", seed)?,
            max_connections: value(args, "--max-connections", connections)?,
            max_buffered: value(args, "--max-buffered", mebibytes)?,
            drain_timeout: value(args, "--drain-timeout", seconds)?,
            log: value(args, "--log", LogLevel::from_str)?,
            log_format: value(args, "--log-format", LogFormat::from_str)?,
            // Switches come last, so that `--config --verbose` is reported as a missing value.
            verbose: args.contains("--verbose"),
            quiet: args.contains("--quiet"),
            check: args.contains("--check"),
            test_server: args.contains("--test-server"),
        })
    }

    /// The only operand is the config file.
    fn with_operands(mut self, operands: &[OsString]) -> Parsed<Self> {
        match (operands, &self.config) {
            ([], _) => {}
            ([file], None) => self.config = Some(PathBuf::from(file)),
            ([.., last], _) => {
                let shown = OsStr::display(last);
                return usage_error(format!("unexpected argument `{shown}`: give one config file"));
            }
        }
        Ok(self)
    }

    fn into_command(self) -> Parsed<Command> {
        let (log_level, warnings) = (self.log_level()?, self.warnings());
        let routes = match self.config {
            Some(path) => file(path, self.bind, &self.lone_route)?,
            None => Routes::Flags(self.lone_route.into_plan(self.bind)?),
        };
        if self.check {
            return Ok(Command::Check(routes));
        }
        let settings = Settings {
            seed: self.seed,
            upstreams: if self.test_server { Upstreams::TestServer } else { Upstreams::External },
            max_connections: self.max_connections,
            max_buffered: self.max_buffered,
            drain_timeout: self.drain_timeout,
            log_level,
            log_format: self.log_format.unwrap_or_default(),
        };
        Ok(Command::Run(Box::new(Options { routes, settings, warnings })))
    }

    fn log_level(&self) -> Parsed<Option<LogLevel>> {
        match (self.log, self.quiet, self.verbose) {
            (Some(_), true, _) => usage_error("--log and --quiet exclude each other: --quiet is --log error"),
            (Some(_), _, true) => usage_error("--log and --verbose exclude each other: --verbose is --log debug"),
            (None, true, _) => Ok(Some(LogLevel::Error)),
            (None, false, true) => Ok(Some(LogLevel::Debug)),
            (level, false, false) => Ok(level),
        }
    }

    fn warnings(&self) -> Vec<&'static str> {
        if self.verbose && self.quiet { vec!["--quiet wins over --verbose"] } else { Vec::new() }
    }
}

fn file(path: PathBuf, bind: Option<Bind>, lone_route: &LoneRoute) -> Parsed<Routes> {
    match lone_route.first_flag() {
        None => {
            Ok(Routes::File { path, defaults: bind.map_or(Defaults::default(), |bind| Defaults { bind: bind.ip() }) })
        }
        Some(flag) => usage_error(format!("--config and {flag} exclude each other: define every route in the file")),
    }
}

fn usage_error<T>(what: impl Into<String>) -> Parsed<T> {
    Err(UsageError::Flag(what.into()))
}

#[cfg(test)]
mod tests;
