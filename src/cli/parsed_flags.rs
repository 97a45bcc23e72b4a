//! The flags of a run: which of them exclude or need each other, and the command that they make together.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use pico_args::Arguments;

use super::admin::AdminFlags;
use super::explain::ExplainFlags;
use super::flags::{raw_value, value};
use super::lone_route::LoneRoute;
use super::values::{connections, mebibytes, seconds, seed, user};
use super::wrap::WrapFlags;
use super::{Command, Options, Parsed, RouteSource, RunSettings, STDIN, Upstreams, Watch, usage_error};
use crate::config::{Defaults, EmptyList, HostNames, Resolved};
use crate::harness::argv::Argv;
use crate::harness::report::{Format, Output};
use crate::logging::{LogFormat, LogLevel};
use crate::plan::{Bind, Plan};
use crate::redirect::Firewall;

/// The flags as given: each is valid on its own, their combination is not checked yet.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that was given or not")]
pub(super) struct ParsedFlags {
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
    messages: Option<PathBuf>,
    resolve: bool,
    watch: bool,
    check: bool,
    test_server: bool,
    redirect: Option<Firewall>,
    proxy_user: Option<String>,
}

/// What is done with the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Run,
    Check,
    Explain,
    Redirect(Firewall),
}

impl ParsedFlags {
    pub(super) fn take_from(args: &mut Arguments, admin_token: Option<OsString>) -> Parsed<Self> {
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
            redirect: value(args, "--print-redirect", Firewall::from_str)?,
            proxy_user: value(args, "--proxy-user", user)?,
            messages: raw_value(args, "--messages")?.map(PathBuf::from),
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
    pub(super) fn with_operands(mut self, operands: &[OsString]) -> Parsed<Self> {
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

    pub(super) fn into_command(self, command: Option<Argv>) -> Parsed<Command> {
        let (defaults, log_level, report) = (self.defaults(), self.log_level()?, self.report()?);
        let (watch, old, routes) = (self.watch()?, self.old(defaults)?, self.routes(defaults)?);
        match (self.mode()?, command) {
            (Mode::Run, command) => {
                let warnings = self.warnings();
                let (wrap, settings) = self.into_settings(log_level, report, defaults);
                wrap.into_command(Options { routes, watch, command, settings, warnings })
            }
            (Mode::Check, Some(_)) => usage_error("--check runs no command: leave out what follows --"),
            (Mode::Explain, Some(_)) => usage_error("--explain runs no command: leave out what follows --"),
            (Mode::Check, None) => Ok(match old {
                Some(old) => Command::Compare { old, new: routes },
                None => Command::Check(routes),
            }),
            (Mode::Redirect(_), Some(_)) => usage_error("--print-redirect runs no command: leave out what follows --"),
            (Mode::Redirect(firewall), None) => Ok(Command::Redirect { routes, firewall, user: self.proxy_user }),
            (Mode::Explain, None) => Ok(Command::Explain(self.explain.into_explain(routes, self.seed))),
        }
    }

    fn mode(&self) -> Parsed<Mode> {
        if self.proxy_user.is_some() && self.redirect.is_none() {
            return usage_error("--proxy-user needs --print-redirect");
        }
        match (self.check, self.explain.is_given()?, self.redirect) {
            (true, false, None) => Ok(Mode::Check),
            (false, true, None) => Ok(Mode::Explain),
            (false, false, Some(firewall)) => Ok(Mode::Redirect(firewall)),
            (false, false, None) => Ok(Mode::Run),
            _ => usage_error("--check, --explain and --print-redirect exclude each other"),
        }
    }

    fn into_settings(
        self,
        log_level: Option<LogLevel>,
        report: Option<Output>,
        defaults: Defaults,
    ) -> (WrapFlags, RunSettings) {
        let settings = RunSettings {
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
            messages: self.messages,
            defaults,
        };
        (self.wrap, settings)
    }

    /// A file may open the admin server too.
    fn routes(&self, defaults: Defaults) -> Parsed<RouteSource> {
        match (&self.config, self.lone_route.first_flag(), self.admin.needs_server()) {
            (Some(path), None, _) => Ok(RouteSource::File { path: path.clone(), defaults }),
            (Some(_), Some(flag), _) => {
                usage_error(format!("--config and {flag} exclude each other: define every route in the file"))
            }
            (None, _, Some(flag)) if !self.admin.opens_server() => usage_error(format!("{flag} needs --admin")),
            (None, None, _) if self.admin.opens_server() => Ok(RouteSource::Flags(no_routes())),
            (None, _, _) => Ok(RouteSource::Flags(self.lone_route.plan(self.bind, defaults.host_names)?)),
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
    fn old(&self, defaults: Defaults) -> Parsed<Option<RouteSource>> {
        let stdin = Path::new(STDIN);
        match &self.against {
            None => Ok(None),
            Some(_) if !self.check => usage_error("--against needs --check"),
            Some(old) if old == stdin && self.config.as_deref() == Some(stdin) => {
                usage_error("--against and --config can't both read stdin")
            }
            Some(old) => Ok(Some(RouteSource::File { path: old.clone(), defaults })),
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

/// They come later, through the admin server.
fn no_routes() -> Resolved<Plan> {
    Resolved { value: Plan::default(), lookups: Vec::new() }
}
