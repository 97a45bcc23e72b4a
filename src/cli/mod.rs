//! The command line: its flags, the help text, and the [`Command`] they parse into. No I/O, except for the lookup of
//! `--upstream HOST:PORT` with `--resolve`: `run` executes the command.

mod admin;
mod completions;
mod ctl;
mod explain;
mod flag_table;
mod flags;
mod help;
mod lone_route;
mod man;
mod options;
mod values;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use pico_args::Arguments;

use crate::config::{Defaults, EmptyList, HostNames, Report, Resolved};
use crate::ctl::TOKEN_VARIABLE;
use crate::harness::argv::Argv;
use crate::harness::exec::{self, Exec};
use crate::harness::report::{Format, Output};
use crate::logging::{LogFormat, LogLevel};
use crate::plan::{Bind, Plan};
pub use admin::{AdminFlags, AdminOptions};
pub use completions::{Shell, completions};
pub use ctl::ctl_help;
use explain::ExplainFlags;
pub use explain::{Explain, ExplainFormat};
use flag_table::RUN;
use flags::{TOXIPROXY, has_effect, normalized, raw_value, reject_flags, split_at_double_dash, value, with_admin_port};
pub use help::{VERSION, build_details, full_help, help};
use lone_route::LoneRoute;
pub use man::man;
pub use options::{Command, Options, Routes, Settings, Upstreams, Watch};
use values::{connections, mebibytes, seconds, seed};
use wrap::WrapFlags;
pub use wrap::{Repeat, Runs};

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

/// Parses the arguments, without the program's name. `variable` looks up an environment variable.
///
/// # Errors
/// The first error found.
pub fn parse(args: impl IntoIterator<Item = OsString>, variable: impl Fn(&str) -> Option<OsString>) -> Parsed<Command> {
    let mut args = args.into_iter().peekable();
    if args.next_if(|first| first == "ctl").is_some() {
        return ctl::parse(args);
    }
    if args.next_if(|first| first == exec::MODE).is_some() {
        let exec = Exec::of(args).map(|exec| Command::Exec(Box::new(exec)));
        return exec.ok_or_else(|| UsageError::Flag(format!("{} is for chaos-proxy itself", exec::MODE)));
    }
    let (flags, command) = split_at_double_dash(args);
    let flags = with_admin_port(flags).filter(has_effect).flat_map(|arg| normalized(arg, RUN));
    let mut args = Arguments::from_vec(flags.collect());
    if args.contains(["-h", "--help"]) {
        return Ok(if args.contains(["-v", "--verbose"]) { Command::FullHelp } else { Command::Help });
    }
    if args.contains(["-V", "--version"]) {
        return Ok(if args.contains(["-v", "--verbose"]) { Command::BuildDetails } else { Command::Version });
    }
    if args.contains("--schema") {
        return Ok(Command::Schema);
    }
    if args.contains("--man") {
        return Ok(Command::Man);
    }
    if let Some(shell) = value(&mut args, "--completions", Shell::from_str)? {
        return Ok(Command::Completions(shell));
    }
    let flags = ParsedFlags::take_from(&mut args, variable(TOKEN_VARIABLE))?;
    match &reject_flags(args.finish(), RUN, &TOXIPROXY)?[..] {
        [word] if word == "help" => Ok(Command::Help),
        operands => flags.with_operands(operands)?.into_command(wrap::command(command)?),
    }
}

/// The flags as given: each is valid on its own, their combination is not checked yet.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that was given or not")]
struct ParsedFlags {
    wrap: WrapFlags,
    config: Option<PathBuf>,
    bind: Option<Bind>,
    lone_route: LoneRoute,
    admin: AdminFlags,
    explain: ExplainFlags,
    against: Option<PathBuf>,
    seed: Option<u64>,
    max_connections: Option<NonZeroUsize>,
    max_buffered: Option<NonZeroUsize>,
    drain_timeout: Option<Duration>,
    log: Option<LogLevel>,
    log_format: Option<LogFormat>,
    log_file: Option<PathBuf>,
    verbose: bool,
    quiet: bool,
    report: Option<PathBuf>,
    report_format: Option<Format>,
    resolve: bool,
    watch: bool,
    check: bool,
    test_server: bool,
}

impl ParsedFlags {
    fn take_from(args: &mut Arguments, admin_token: Option<OsString>) -> Parsed<Self> {
        Ok(Self {
            // First, because it takes a copy of all other flags.
            wrap: WrapFlags::take_from(args)?,
            config: raw_value(args, "--config")?.map(PathBuf::from),
            bind: value(args, "--bind", Bind::from_str)?,
            lone_route: LoneRoute::take_from(args)?,
            admin: AdminFlags::take_from(args, admin_token)?,
            explain: ExplainFlags::take_from(args)?,
            against: raw_value(args, "--against")?.map(PathBuf::from),
            seed: value(args, "--seed", seed)?,
            max_connections: value(args, "--max-connections", connections)?,
            max_buffered: value(args, "--max-buffered", mebibytes)?,
            drain_timeout: value(args, "--drain-timeout", seconds)?,
            log: value(args, "--log", LogLevel::from_str)?,
            log_format: value(args, "--log-format", LogFormat::from_str)?,
            log_file: raw_value(args, "--log-file")?.map(PathBuf::from),
            report: raw_value(args, "--report")?.map(PathBuf::from),
            report_format: value(args, "--report-format", Format::from_str)?,
            // Switches come last, so that `--config --verbose` is reported as a missing value.
            verbose: args.contains("--verbose"),
            quiet: args.contains("--quiet"),
            resolve: args.contains("--resolve"),
            watch: args.contains("--watch"),
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

    fn into_command(self, command: Option<Argv>) -> Parsed<Command> {
        let (defaults, log_level) = (self.defaults(), self.log_level()?);
        let (watch, old, routes) = (self.watch()?, self.old(defaults)?, self.routes(defaults)?);
        let (report, warnings, is_explained) = (self.report()?, self.warnings(), self.explain.is_given()?);
        match old {
            _ if self.check && command.is_some() => usage_error("--check runs no command: leave out what follows --"),
            _ if is_explained && command.is_some() => {
                usage_error("--explain runs no command: leave out what follows --")
            }
            _ if self.check && is_explained => usage_error("--check and --explain exclude each other"),
            _ if is_explained => Ok(Command::Explain(self.explain.into_explain(routes, self.seed))),
            Some(old) => Ok(Command::Compare { old, new: routes }),
            None if self.check => Ok(Command::Check(routes)),
            None => {
                let (wrap, settings) = self.into_settings(log_level, report, defaults);
                let options = Options { routes, watch, command, settings, warnings };
                let repeat = wrap.into_repeat(options)?;
                Ok(repeat.map_or_else(|options| Command::Run(Box::new(options)), Command::Repeat))
            }
        }
    }

    fn into_settings(
        self,
        log_level: Option<LogLevel>,
        report: Option<Output>,
        defaults: Defaults,
    ) -> (WrapFlags, Settings) {
        let settings = Settings {
            seed: self.seed,
            upstreams: if self.test_server { Upstreams::TestServer } else { Upstreams::External },
            max_connections: self.max_connections,
            max_buffered: self.max_buffered,
            drain_timeout: self.drain_timeout,
            log_level,
            log_format: self.log_format.unwrap_or_default(),
            log_file: self.log_file,
            admin: self.admin,
            report,
            defaults,
        };
        (self.wrap, settings)
    }

    /// A file may open the admin server too.
    fn routes(&self, defaults: Defaults) -> Parsed<Routes> {
        match (&self.config, self.lone_route.first_flag(), self.admin.needs_server()) {
            (Some(path), None, _) => Ok(Routes::File { path: path.clone(), defaults }),
            (Some(_), Some(flag), _) => {
                usage_error(format!("--config and {flag} exclude each other: define every route in the file"))
            }
            (None, _, Some(flag)) if !self.admin.opens_server() => usage_error(format!("{flag} needs --admin")),
            (None, None, _) if self.admin.opens_server() => Ok(Routes::none()),
            (None, _, _) => Ok(Routes::Flags(self.lone_route.plan(self.bind, defaults.host_names)?)),
        }
    }

    fn defaults(&self) -> Defaults {
        let default = Defaults::default();
        Defaults {
            bind: self.bind.map_or(default.bind, Bind::ip),
            empty_list: if self.admin.opens_server() { EmptyList::Allowed } else { EmptyList::Rejected },
            host_names: self.host_names(),
        }
    }

    /// With an admin server, files of Toxiproxy start unchanged: many have upstreams such as `localhost:3306`.
    fn host_names(&self) -> HostNames {
        match (self.resolve, self.admin.opens_server()) {
            (true, _) => HostNames::Resolved,
            (false, true) => HostNames::Localhost,
            (false, false) => HostNames::Rejected,
        }
    }

    fn watch(&self) -> Parsed<Watch> {
        match &self.config {
            _ if !self.watch => Ok(Watch::Off),
            Some(path) if path != Path::new(STDIN) => Ok(Watch::File),
            Some(_) => usage_error("--watch needs a config FILE: stdin can't be read again"),
            None => usage_error("--watch needs a config FILE"),
        }
    }

    /// The config to compare with.
    fn old(&self, defaults: Defaults) -> Parsed<Option<Routes>> {
        let stdin = Path::new(STDIN);
        match &self.against {
            None => Ok(None),
            Some(_) if !self.check => usage_error("--against needs --check"),
            Some(old) if old == stdin && self.config.as_deref() == Some(stdin) => {
                usage_error("--against and --config can't both read stdin")
            }
            Some(old) => Ok(Some(Routes::File { path: old.clone(), defaults })),
        }
    }

    fn report(&self) -> Parsed<Option<Output>> {
        match (&self.report, self.report_format) {
            (None, Some(_)) => usage_error("--report-format needs --report FILE"),
            (path, format) => Ok(path.clone().map(|path| Output::new(path, format))),
        }
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

/// The path that stands for stdin.
const STDIN: &str = "-";

impl Routes {
    /// They come later, through the admin server.
    fn none() -> Self {
        Self::Flags(Resolved { value: Plan::default(), lookups: Vec::new() })
    }
}

fn usage_error<T>(what: impl Into<String>) -> Parsed<T> {
    Err(UsageError::Flag(what.into()))
}

#[cfg(test)]
mod tests;
