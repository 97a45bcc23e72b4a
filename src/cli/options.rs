//! What the command line parses into: a command, and the options of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::{AdminFlags, Explain, Explore, Repeat, Shell, Shrink};
use crate::config::{Defaults, Resolved};
use crate::ctl::Invocation;
use crate::harness::argv::Argv;
use crate::harness::exec::Exec;
use crate::harness::report::{Output, ShownFormat};
use crate::logging::{LogFormat, LogLevel};
use crate::plan::Plan;
use crate::redirect::Firewall;

/// What the command line requests.
#[derive(Debug)]
pub enum Command {
    /// Print the [`help`](super::help).
    Help,
    /// Print the [`full_help`](super::full_help).
    FullHelp,
    /// Print the [`VERSION`](super::VERSION).
    Version,
    /// Print the [`build_details`](super::build_details).
    BuildDetails,
    /// Print the JSON Schema of config files.
    Schema,
    /// Print the [`completions`](super::completions) for a shell.
    Completions(Shell),
    /// Print the [`man`](super::man()) page.
    Man,
    /// Validate the routes and exit.
    Check(RouteSource),
    /// Print what changes from one config to another, and exit.
    Compare {
        /// The old routes.
        old: RouteSource,
        /// The new routes.
        new: RouteSource,
    },
    /// Print what a run will do to each connection, and exit.
    Explain(Explain),
    /// Print the script that redirects connections to the routes.
    Redirect {
        /// The routes.
        routes: RouteSource,
        /// The tool that sets the rules.
        firewall: Firewall,
        /// The user that runs the proxy. `None`: the present one.
        user: Option<String>,
    },
    /// Run the proxy.
    Run(Box<Options>),
    /// Run the proxy several times, each time with another seed.
    Repeat(Box<Repeat>),
    /// Become a wrapped command.
    Exec(Box<Exec>),
    /// Control a running proxy.
    Ctl(Box<Invocation>),
    /// Print the [`ctl_help`](super::ctl_help).
    CtlHelp,
    /// Find the faults that break a command.
    Explore(Box<Explore>),
    /// Print the [`explore_help`](super::explore_help).
    ExploreHelp,
    /// Find the few faults of many that make a command fail.
    Shrink(Box<Shrink>),
    /// Show a report that was written as JSON, from this path.
    Report(PathBuf, ShownFormat),
    /// Print the [`report_help`](super::report_help).
    ReportHelp,
    /// Print the [`shrink_help`](super::shrink_help).
    ShrinkHelp,
}

/// The source of the routes.
#[derive(Clone, Debug)]
pub enum RouteSource {
    /// A config file.
    File {
        /// Its path, or `-` for stdin.
        path: PathBuf,
        /// Values for keys that the file leaves out.
        defaults: Defaults,
    },
    /// The flags `--listen`, `--upstream` and so on, which define one route, or `--admin` alone, which needs none.
    Flags(Resolved<Plan>),
}

/// The options of a run.
#[derive(Debug)]
pub struct Options {
    /// The routes to open.
    pub routes: RouteSource,
    /// Whether changes of the config file are applied.
    pub watch: Watch,
    /// The command that the run lasts as long as.
    pub command: Option<Argv>,
    /// Everything else.
    pub settings: RunSettings,
    /// Problems of the command line that do not prevent the run.
    pub warnings: Vec<&'static str>,
}

/// Settings of a run that do not depend on its routes.
#[derive(Debug)]
pub struct RunSettings {
    /// Overrides the seed in the config file.
    pub seed: Option<u64>,
    /// What listens on the upstream addresses.
    pub upstreams: Upstreams,
    /// Lowers the connection cap derived from the system's limits.
    pub max_connections: Option<NonZeroUsize>,
    /// The most bytes that toxics hold in all connections together. `None` derives it from the free memory.
    pub max_buffered: Option<NonZeroUsize>,
    /// The time from the first signal, or the end of the wrapped command, until live connections are cut.
    pub drain_timeout: Option<Duration>,
    /// `None` leaves the level to `RUST_LOG`.
    pub log_level: Option<LogLevel>,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// The file that the log goes to instead of stderr.
    pub log_file: Option<PathBuf>,
    /// The flags about the admin server.
    pub admin: AdminFlags,
    /// Where the report of the run goes, if one is written.
    pub report: Option<Output>,
    /// The file that the messages of all connections are written to.
    pub messages: Option<PathBuf>,
    /// What the command line decides for routes that come later, by a reload or through the admin server.
    pub defaults: Defaults,
}

/// Whether changes of the config file are applied. SIGHUP reads it again in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Not until SIGHUP.
    Off,
    /// At once.
    File,
}

/// What listens on the upstream addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstreams {
    /// Servers outside this process.
    External,
    /// The test server in this process.
    TestServer,
}
