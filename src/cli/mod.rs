//! The command line: its flags, the help text, and the [`Command`] they parse into. No I/O: `run` executes the command.

mod flags;
mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use pico_args::Arguments;

use crate::config::Defaults;
use crate::logging::LogFormat;
use crate::plan::{Bind, DropMode, Plan, Route, Upstream};
use crate::value::{Millis, Port, Probability, RouteName, Timeout};
use flags::{normalized, raw_value, reject_leftovers, split_at_double_dash, value};
use values::{connections, mebibytes, millis, port, probability, seconds, seed};

/// What `--help` prints.
pub const HELP: &str = "\
chaos-proxy: forwards TCP connections by local port and injects faults into them

Usage:
  chaos-proxy --config FILE [options]
  chaos-proxy --listen PORT --upstream IP:PORT [options]

Routes:
  --config FILE            read routes from FILE: JSON, or YAML (.yaml, .yml)
  --listen PORT            without a file: local port of the only route
  --upstream IP:PORT       without a file: forward its connections here
  --drop-rate P            without a file: share to drop, 0.0 to 1.0 [0.0]
  --latency-ms N           without a file: delay before forwarding, in ms [0]
  --bind IP                listen address of routes that set none [127.0.0.1]

Running:
  --check                  validate the routes and exit, without opening a port
  --schema                 print a JSON Schema of config files, for editors
  --test-server            serve HTTP on every upstream: /, /bytes/N, /echo
  --seed N                 repeat the faults of an earlier run [random]
  --max-connections N      serve at most N at once, others wait [system limits]
  --max-buffered MIB       memory for data that toxics hold [1/4 of what is free]
  --drain-timeout SECONDS  time after SIGINT/SIGTERM to cut connections [never]

Log, on stderr:
  --verbose                log debug lines too
  --quiet                  log errors only
  --log-format FORMAT      logfmt or json [logfmt]

  -h, --help               print this help
  -V, --version            print the version

Long flags also work with one dash, and as --flag=value. RUST_LOG sets the log
level unless a flag does. Exit codes: 0 success; 1 could not run, or connections
were cut; 2 usage or config error; 130 or 143 cut short by a second signal.
";

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
    pub log_level: Option<LevelFilter>,
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

    fn log_level(&self) -> Option<LevelFilter> {
        match (self.quiet, self.verbose) {
            (true, _) => Some(LevelFilter::Error),
            (false, true) => Some(LevelFilter::Debug),
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
mod tests {
    use super::flags::FLAGS;
    use super::*;

    fn parsed(line: &str) -> Parsed<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parsed(line) {
            Ok(Command::Run(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn error(line: &str) -> String {
        parsed(line).expect_err(line).0
    }

    fn config_path(line: &str) -> PathBuf {
        match options(line).routes {
            Routes::File { path, .. } => path,
            Routes::Flags(plan) => panic!("{line}: {plan:?}"),
        }
    }

    #[test]
    fn accepts_one_dash_two_dashes_and_equals() {
        for line in ["--config a.json", "-config a.json", "--config=a.json", "-config=a.json"] {
            assert_eq!(config_path(line), PathBuf::from("a.json"), "{line}");
        }
    }

    #[test]
    fn flags_define_a_route() {
        let options = options("-listen 8180 --upstream 127.0.0.1:5432 --latency-ms 50 --drop-rate 0.1 --bind ::1");
        let Routes::Flags(plan) = options.routes else { panic!("a file") };
        let route = &plan.routes()[0];
        assert_eq!(route.listen().to_string(), "[::1]:8180");
        assert_eq!(route.upstream.to_string(), "127.0.0.1:5432");
        assert_eq!((route.latency.get(), route.drop_rate.get()), (50, 0.1));
    }

    #[test]
    fn quiet_overrides_verbose_with_a_warning() {
        let options = options("--verbose --quiet --config a");
        assert_eq!(options.settings.log_level, Some(LevelFilter::Error));
        assert_eq!(options.warnings, ["--quiet wins over --verbose"]);
    }

    #[test]
    fn the_memory_for_held_data_is_in_mebibytes() {
        let max_buffered = |line| options(line).settings.max_buffered.map(NonZeroUsize::get);
        assert_eq!(max_buffered("--config a --max-buffered 3"), Some(3 << 20));
        assert_eq!(max_buffered("--config a"), None);
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (line, expected) in [
            ("", "no routes: give --config FILE, or --listen PORT --upstream IP:PORT"),
            ("--confg a.json", "unknown flag --confg; did you mean --config?"),
            ("-test-sever --config a", "unknown flag --test-sever; did you mean --test-server?"),
            ("--frobnicate", "unknown flag --frobnicate"),
            ("--config", "--config needs a value"),
            ("--config --verbose", "--config needs a value, but --verbose follows it"),
            ("--config -quiet", "--config needs a value, but --quiet follows it"),
            ("--config a --config b", "--config is given twice"),
            ("--config a --verbose -verbose", "--verbose is given twice"),
            ("--config a --verbose=yes", "--verbose takes no value"),
            ("a.json", "unexpected argument `a.json`; pass a config file with --config"),
            ("--config a -- b", "unexpected argument `b`; pass a config file with --config"),
            (
                "--config a --listen 1 --upstream 127.0.0.1:2",
                "--config and --listen exclude each other: define every route in the file",
            ),
            ("--config a --drop-rate 0", "--config and --drop-rate exclude each other: define every route in the file"),
            ("--listen 1", "--listen needs --upstream IP:PORT"),
            ("--upstream 127.0.0.1:1", "--upstream needs --listen PORT"),
            ("--latency-ms 5", "--latency-ms needs --listen PORT"),
            ("--listen 0 --upstream 127.0.0.1:1", "--listen 0: port 0 is out of range; use 1 to 65535"),
            (
                "--listen 127.0.0.1:80 --upstream 127.0.0.1:1",
                "--listen 127.0.0.1:80: use a port number, 1 to 65535; --bind takes the address",
            ),
            (
                "--listen 1 --upstream localhost:5",
                "--upstream localhost:5: `localhost` is a host name; use 127.0.0.1:5",
            ),
            (
                "--listen 1 --upstream 127.0.0.1:2 --drop-rate 1.5",
                "--drop-rate 1.5: 1.5 is not a probability; use 0.0 (never) to 1.0 (always); 1.5 % is 0.015",
            ),
            (
                "--listen 1 --upstream 127.0.0.1:2 --latency-ms -5",
                "--latency-ms -5: -5 ms is negative; use whole milliseconds, 0 to 4294967295",
            ),
            (
                "--listen 5 --upstream 127.0.0.1:5",
                "--upstream 127.0.0.1:5 is the listener itself: connections would loop",
            ),
            ("--config a --seed -1", "--seed -1: use a whole number, 0 to 18446744073709551615"),
            ("--config a --max-connections 0", "--max-connections 0: use a whole number, 1 or more"),
            ("--config a --max-buffered 0", "--max-buffered 0: use whole MiB, 1 or more"),
            ("--config a --max-buffered 1.5", "--max-buffered 1.5: use whole MiB, 1 or more"),
            (
                "--config a --max-buffered 18446744073709551615",
                "--max-buffered 18446744073709551615: more than any machine has; use whole MiB, such as 256",
            ),
            ("--config a --drain-timeout soon", "--drain-timeout soon: use seconds, such as 30 or 2.5"),
            ("--config a --drain-timeout inf", "--drain-timeout inf: use seconds, 0 or more"),
            ("--config a --log-format xml", "--log-format xml: use logfmt or json"),
            ("--config a --bind localhost", "--bind localhost: `localhost` is not an IP address; use 127.0.0.1"),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }

    #[test]
    fn help_fits_a_screen_and_names_every_flag() {
        assert!(HELP.lines().count() <= 40 && HELP.lines().all(|line| line.len() <= 81));
        for flag in FLAGS {
            assert!(HELP.contains(flag), "{flag}");
        }
    }
}
