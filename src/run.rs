//! One run, from the parsed command line to the exit code: the order in which things are opened and closed.

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use crate::admin::{self, Admin};
use crate::cli::{self, AdminOptions, Command, Options, Repeat, Routes, Runs, Settings, Upstreams, UsageError};
use crate::config::{self, Lookup, Resolved};
use crate::control::{ConfigFile, Control};
use crate::ctl;
use crate::dice;
use crate::event::{Event, Origin, emit};
use crate::harness::argv::Argv;
use crate::harness::exec::{DescriptorLimit, Exec};
use crate::harness::repeat::{Seeds, Series};
use crate::harness::wrapped::Wrapped;
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging::{self, LogOutput};
use crate::memory;
use crate::plan::{Plan, open_ports, plan_differences};
use crate::proxy::{ApplyError, Supervisor};
use crate::stop::{Signal, Stop};
use crate::{signals, test_server, threads};

/// The time from the end of a wrapped command until live connections are cut. A test suite should not hang on what it has
/// left open.
const DRAIN_TIMEOUT_OF_COMMANDS: Duration = Duration::from_secs(10);

/// How a run ended. Converts into the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: success, no connection was cut.
    Done,
    /// 1: the run could not start, or connections were cut at the drain deadline.
    Failed,
    /// 2: the command line or the config is invalid.
    Usage,
    /// 130 or 143: a second signal cut the drain short. Shells use the same codes for a process killed by the signal.
    CutBy(Signal),
    /// The exit code of a wrapped command, or that of a shell for one that can't be started.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::CutBy(signal) => 128 + signal.number(),
            Exit::Command(code) => code,
        })
    }
}

/// Executes the parsed command line.
#[must_use]
pub fn run(command: Result<Command, UsageError>) -> Exit {
    match command {
        Ok(Command::Help) => print(&cli::help()),
        Ok(Command::Version) => print(cli::VERSION),
        Ok(Command::BuildDetails) => print(&cli::build_details()),
        Ok(Command::Schema) => print(&config::schema()),
        Ok(Command::Check(routes)) => check(routes),
        Ok(Command::Compare { old, new }) => compare(old, new),
        Ok(Command::Run(options)) => proxy(*options),
        Ok(Command::Repeat(series)) => repeat(*series),
        Ok(Command::Exec(exec)) => become_command(*exec),
        Ok(Command::CtlHelp) => print(&cli::ctl_help()),
        Ok(Command::Ctl(invocation)) => control(*invocation),
        Err(UsageError::Flag(what)) => report(&format!("{what}\ntry `chaos-proxy --help`"), Exit::Usage),
        Err(UsageError::Ctl(what)) => report(&format!("{what}\ntry `chaos-proxy ctl --help`"), Exit::Usage),
        Err(UsageError::Toxics(problems)) => print_error(&problems.to_string(), Exit::Usage),
    }
}

fn check(routes: Routes) -> Exit {
    match load(routes) {
        Ok(Resolved { value: plan, lookups }) => {
            let routes = plan.routes().len();
            print(&format!("{}ok: {routes} route{}\n", lines(&lookups), if routes == 1 { "" } else { "s" }))
        }
        Err(exit) => exit,
    }
}

/// Prints a line for each difference.
fn compare(old: Routes, new: Routes) -> Exit {
    match (load(old), load(new)) {
        (Ok(old), Ok(new)) => {
            let differences = plan_differences(&old.value, &new.value);
            print(&if differences.is_empty() { "no change\n".to_owned() } else { lines(&differences) })
        }
        (Err(exit), _) | (_, Err(exit)) => exit,
    }
}

fn lines<T: Display>(values: &[T]) -> String {
    values.iter().flat_map(|value| [value.to_string(), "\n".to_owned()]).collect()
}

fn load(routes: Routes) -> Result<Resolved<Plan>, Exit> {
    match routes {
        Routes::Flags(resolved) => Ok(resolved),
        Routes::File { path, defaults } => {
            config::load(&path, defaults).map_err(|report| print_error(&report.to_string(), Exit::Usage))
        }
    }
}

fn control(invocation: ctl::Invocation) -> Exit {
    match ctl::execute(invocation) {
        Ok(()) => Exit::Done,
        Err(ctl::Failure::Usage(what)) => report(&what, Exit::Usage),
        Err(ctl::Failure::Refused(what)) => report(&what, Exit::Failed),
    }
}

fn become_command(exec: Exec) -> Exit {
    let (code, reason) = exec.run();
    report(&reason, Exit::Command(code))
}

/// The config is loaded only to report its problems once, and to find its seed.
fn repeat(repeat: Repeat) -> Exit {
    let Repeat { options, command, flags, runs, after_failure } = repeat;
    let plan = match load(options.routes) {
        Ok(resolved) => resolved.value,
        Err(exit) => return exit,
    };
    let seeds = match runs {
        Runs::Count(count) => Seeds::consecutive(seed(&options.settings, &plan), count.get()),
        Runs::Seeds(seeds) => seeds,
    };
    let ended = Series { flags, command, seeds, after_failure }.execute();
    ended.map_or_else(|error| report(&format!("can't run: {error}"), Exit::Failed), Exit::Command)
}

fn seed(settings: &Settings, plan: &Plan) -> u64 {
    settings.seed.or(plan.seed()).unwrap_or_else(dice::fresh_seed)
}

fn proxy(options: Options) -> Exit {
    for warning in &options.warnings {
        report(&format!("warning: {warning}"), Exit::Done);
    }
    let file = ConfigFile::of(&options);
    let resolved = match load(options.routes) {
        Ok(resolved) => resolved,
        Err(exit) => return exit,
    };
    if let Some(warning) = options.settings.admin.warning(&resolved.value) {
        report(&format!("warning: {warning}"), Exit::Done);
    }
    let (command, settings) = (options.command, &options.settings);
    prepare(&resolved, file, command, settings).unwrap_or_else(|error| report(&error.to_string(), Exit::Failed))
}

/// Sets up what every run needs before its first route.
fn prepare(
    resolved: &Resolved<Plan>,
    file: Option<ConfigFile>,
    command: Option<Argv>,
    settings: &Settings,
) -> io::Result<Exit> {
    let output = log_output(settings)?;
    threads::wake_on_time();
    let admin = settings.admin.options(&resolved.value);
    let limit = DescriptorLimit::current();
    // These must run before the first thread is spawned.
    let cap = cap(&resolved.value, settings, admin.as_ref());
    let token = admin.as_ref().and_then(|admin| admin.token.clone());
    let control = Control::new(file, admin, settings.defaults)?;
    let stop = Arc::new(Stop::new()?);
    let lifetime = match command {
        Some(argv) => Lifetime::OfCommand(Wrapped::new(argv, limit, token, &stop)?),
        None => Lifetime::until_signal(&stop)?,
    };
    let _flushed_at_the_end = logging::start(settings.log_level, settings.log_format, output)?;
    Ok(start(resolved, control, settings, cap, &stop, lifetime))
}

/// How long a run lasts.
enum Lifetime {
    /// Until a signal arrives.
    UntilSignal,
    /// As long as a command.
    OfCommand(Wrapped),
}

impl Lifetime {
    fn until_signal(stop: &Arc<Stop>) -> io::Result<Self> {
        let stop = Arc::clone(stop);
        signals::install(move |signal| stop.request(signal))?;
        Ok(Self::UntilSignal)
    }
}

fn log_output(settings: &Settings) -> io::Result<LogOutput> {
    match &settings.log_file {
        None => Ok(LogOutput::Stderr),
        Some(path) => LogOutput::append_to(path)
            .map_err(|error| io::Error::new(error.kind(), format!("--log-file {}: {error}", path.display()))),
    }
}

fn cap(plan: &Plan, settings: &Settings, admin: Option<&AdminOptions>) -> Cap {
    let (footprint, listeners) = needs(plan, settings.upstreams);
    let baseline = Baseline { listeners, admin_clients: admin.map_or(0, |_| admin::CLIENTS.get()) };
    limits::connection_cap(settings.max_connections, footprint, baseline)
}

fn start(
    resolved: &Resolved<Plan>,
    control: Control,
    settings: &Settings,
    cap: Cap,
    stop: &Arc<Stop>,
    lifetime: Lifetime,
) -> Exit {
    let Resolved { value: plan, lookups } = resolved;
    let seed = seed(settings, plan);
    emit(&Event::Starting(plan, seed, &cap));
    lookups.iter().for_each(Lookup::log);
    let max_buffered = settings.max_buffered.unwrap_or_else(memory::default_buffers);
    let supervisor = Arc::new(Supervisor::new(cap, max_buffered, seed, Arc::clone(stop)));
    let admin = match open(&supervisor, control, plan, settings.upstreams) {
        Ok(admin) => admin,
        Err(exit) => return exit,
    };
    match lifetime {
        Lifetime::UntilSignal => announce(&supervisor, admin)
            .map_or_else(|error| report_event(&Event::StartFailed(&error)), |()| serve(&supervisor, settings, stop)),
        Lifetime::OfCommand(command) => wrap(command, &supervisor, admin, settings),
    }
}

/// Runs the command to its end, and drains. Connections that are cut then are not a failure of the command.
fn wrap(command: Wrapped, supervisor: &Supervisor, admin: Option<SocketAddr>, settings: &Settings) -> Exit {
    match command.run(supervisor, admin) {
        Ok(ended) => {
            let timeout = settings.drain_timeout.unwrap_or(DRAIN_TIMEOUT_OF_COMMANDS);
            emit(&Event::Drained(supervisor.drain(Some(timeout))));
            Exit::Command(ended.exit_code())
        }
        Err(error) => {
            emit(&Event::StartFailed(&*error));
            Exit::Usage
        }
    }
}

/// Waits for the first signal, and drains.
fn serve(supervisor: &Supervisor, settings: &Settings, stop: &Stop) -> Exit {
    // Nothing is ever sent. The channel disconnects at the first signal.
    let _ = stop.draining().channel().recv();
    let cut = supervisor.drain(settings.drain_timeout);
    emit(&Event::Drained(cut));
    match (stop.cut_by(), cut) {
        (_, 0) => Exit::Done,
        (Some(signal), _) => Exit::CutBy(signal),
        (None, _) => Exit::Failed,
    }
}

/// Opens everything before the ready line. An address of the admin server that is in use fails the start before any
/// route listens.
fn open(
    supervisor: &Arc<Supervisor>,
    control: Control,
    plan: &Plan,
    upstreams: Upstreams,
) -> Result<Option<SocketAddr>, Exit> {
    let admin = control.bind().map_err(|error| report_event(&Event::StartFailed(&error)))?;
    let admin_addr = admin.as_ref().map(Admin::local_addr);
    open_routes(supervisor, plan, upstreams)?;
    control.start(admin, supervisor).map_err(|error| report_event(&Event::StartFailed(&error)))?;
    Ok(admin_addr)
}

/// Opens the test server before the listeners, so that the first connection finds its upstream.
fn open_routes(supervisor: &Supervisor, plan: &Plan, upstreams: Upstreams) -> Result<(), Exit> {
    if upstreams == Upstreams::TestServer {
        let served = test_server::start(plan.outer_upstreams());
        served.map_err(|error| report_event(&Event::StartFailed(&error)))?;
    }
    supervisor.apply(plan, Origin::Start).map(drop).map_err(|error| match error {
        ApplyError::Bind(failed) => {
            for (route, error) in &failed {
                emit(&Event::BindFailed(route, error));
            }
            Exit::Failed
        }
        error => report_event(&Event::StartFailed(&error)),
    })
}

/// The costs of a connection, and the number of listeners.
fn needs(plan: &Plan, upstreams: Upstreams) -> (Footprint, usize) {
    let routes = plan.routes().len();
    match upstreams {
        Upstreams::External => (Footprint::PROXIED, routes),
        Upstreams::TestServer => {
            let served: HashSet<SocketAddr> = plan.outer_upstreams().collect();
            (Footprint::PROXIED_AND_SERVED, routes + served.len())
        }
    }
}

/// Prints the ready line, the only line of stdout. A script that waits for it can connect to everything named in it. A
/// separate thread prints it, because a write to a full pipe would block the thread that waits for signals.
fn announce(supervisor: &Supervisor, admin: Option<SocketAddr>) -> io::Result<()> {
    let admin = admin.map(|addr| format!(" admin={addr}")).unwrap_or_default();
    let line = format!("ready pid={} ports={}{admin}\n", process::id(), open_ports(&supervisor.plan()));
    threads::spawn("ready", move || {
        print(&line);
    })
}

fn report_event(event: &Event<'_>) -> Exit {
    emit(event);
    Exit::Failed
}

fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    // A closed stdout is not an error: `chaos-proxy --help | head -1` closes it early.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Done
}

/// Reports an error from before the log is started.
fn report(what: &str, exit: Exit) -> Exit {
    print_error(&format!("chaos-proxy: {what}"), exit)
}

/// Prints without the program's name, because editors jump to lines that begin with `file:line:column`.
fn print_error(what: &str, exit: Exit) -> Exit {
    // If stderr is closed, the exit code is the only report.
    let _ = writeln!(io::stderr(), "{what}");
    exit
}
