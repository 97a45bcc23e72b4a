//! The command line: its flags, the help text, and the [`Command`] they parse into. No I/O: `run` executes the command.

mod flags;
mod help;
mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pico_args::Arguments;

use crate::config::Defaults;
use crate::logging::{LogFormat, LogLevel};
use crate::plan::{Bind, DropMode, Plan, Route, Upstream};
use crate::value::{Millis, Port, Probability, RouteName, Timeout};
pub use help::HELP;

use flags::{normalized, raw_value, reject_leftovers, split_at_double_dash, value};
use values::{connections, mebibytes, millis, port, probability, seconds, seed};

/// What the command line requests.
#[derive(Debug)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Print the JSON Schema of config files.
    Schema,
    /// Validate the routes and exit.
    Check(Routes),
    /// Run the proxy.
    Run(Box<Options>),
}

/// The source of the routes.
#[derive(Debug)]
pub enum Routes {
    /// A config file.
    File {
        /// Its path.
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
pub struct UsageError(pub String);

type Parsed<T> = Result<T, UsageError>;

/// Parses the arguments, without the program's name.
///
/// # Errors
/// The first error found.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed<Command> {
    let (flags, operands) = split_at_double_dash(args);
    let mut args = Arguments::from_vec(flags.into_iter().flat_map(normalized).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Command::Help);
    }
    if args.contains(["-V", "--version"]) {
        return Ok(Command::Version);
    }
    if args.contains("--schema") {
        return Ok(Command::Schema);
    }
    let flags = ParsedFlags::take_from(&mut args)?;
    reject_leftovers(args.finish().iter().chain(&operands))?;
    flags.into_command()
}

/// The flags as given: each is valid on its own, their combination is not checked yet.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that was given or not")]
struct ParsedFlags {
    config: Option<PathBuf>,
    bind: Option<Bind>,
    listen: Option<Port>,
    upstream: Option<Upstream>,
    drop_rate: Option<Probability>,
    latency: Option<Millis>,
    seed: Option<u64>,
    max_connections: Option<NonZeroUsize>,
    max_buffered: Option<NonZeroUsize>,
    drain_timeout: Option<Duration>,
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
            listen: value(args, "--listen", port)?,
            upstream: value(args, "--upstream", Upstream::from_str)?,
            drop_rate: value(args, "--drop-rate", probability)?,
            latency: value(args, "--latency-ms", millis)?,
            seed: value(args, "--seed", seed)?,
            max_connections: value(args, "--max-connections", connections)?,
            max_buffered: value(args, "--max-buffered", mebibytes)?,
            drain_timeout: value(args, "--drain-timeout", seconds)?,
            log_format: value(args, "--log-format", LogFormat::from_str)?,
            // Switches come last, so that `--config --verbose` is reported as a missing value.
            verbose: args.contains("--verbose"),
            quiet: args.contains("--quiet"),
            check: args.contains("--check"),
            test_server: args.contains("--test-server"),
        })
    }

    fn into_command(self) -> Parsed<Command> {
        let routes = self.routes()?;
        if self.check {
            return Ok(Command::Check(routes));
        }
        let warnings = if self.verbose && self.quiet { vec!["--quiet wins over --verbose"] } else { Vec::new() };
        let settings = Settings {
            seed: self.seed,
            upstreams: if self.test_server { Upstreams::TestServer } else { Upstreams::External },
            max_connections: self.max_connections,
            max_buffered: self.max_buffered,
            drain_timeout: self.drain_timeout,
            log_level: self.log_level(),
            log_format: self.log_format.unwrap_or_default(),
        };
        Ok(Command::Run(Box::new(Options { routes, settings, warnings })))
    }

    fn log_level(&self) -> Option<LogLevel> {
        match (self.quiet, self.verbose) {
            (true, _) => Some(LogLevel::Error),
            (false, true) => Some(LogLevel::Debug),
            (false, false) => None,
        }
    }

    fn routes(&self) -> Parsed<Routes> {
        let bind = self.bind.map_or(Defaults::default().bind, Bind::ip);
        match (&self.config, self.listen, self.upstream, self.route_flag()) {
            (Some(path), _, _, None) => Ok(Routes::File { path: path.clone(), defaults: Defaults { bind } }),
            (Some(_), _, _, Some(flag)) => {
                usage_error(format!("--config and {flag} exclude each other: define every route in the file"))
            }
            (None, Some(port), Some(upstream), _) => self.route(bind, port, upstream),
            (None, Some(_), None, _) => usage_error("--listen needs --upstream IP:PORT"),
            (None, None, _, Some(flag)) => usage_error(format!("{flag} needs --listen PORT")),
            (None, None, _, None) => usage_error("no routes: give --config FILE, or --listen PORT --upstream IP:PORT"),
        }
    }

    fn route_flag(&self) -> Option<&'static str> {
        let given = [
            ("--listen", self.listen.is_some()),
            ("--upstream", self.upstream.is_some()),
            ("--drop-rate", self.drop_rate.is_some()),
            ("--latency-ms", self.latency.is_some()),
        ];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    fn route(&self, bind: IpAddr, port: Port, upstream: Upstream) -> Parsed<Routes> {
        let route = Route {
            name: RouteName::from(port),
            bind,
            port,
            upstream,
            drop_rate: self.drop_rate.unwrap_or_default(),
            drop_mode: DropMode::default(),
            latency: self.latency.unwrap_or_default(),
            connect_timeout: Timeout::CONNECT,
            toxics: Vec::new(),
        };
        // A single route can only conflict with itself, when its upstream is its own listener.
        let loop_error =
            |_| UsageError(format!("--upstream {upstream} is the listener itself: connections would loop"));
        Plan::new(None, vec![route]).map(Routes::Flags).map_err(loop_error)
    }
}

fn usage_error<T>(what: impl Into<String>) -> Parsed<T> {
    Err(UsageError(what.into()))
}

#[cfg(test)]
mod tests;
