//! One run, from the parsed command line to the exit code: the order in which things are opened and closed.

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::admin::{self, Admin};
use crate::cli::{
    self, AdminOptions, Command, Explain, ExplainFormat, Options, Repeat, Routes, Runs, Settings, Upstreams, UsageError,
};
use crate::config::{self, Lookup, Resolved};
use crate::control::{ConfigFile, Control};
use crate::ctl;
use crate::dice;
use crate::event::{Event, Origin, emit};
use crate::explain::explain;
use crate::harness::argv::Argv;
use crate::harness::exec::{DescriptorLimit, Exec};
use crate::harness::lifetime::Lifetime;
use crate::harness::repeat::{Seeds, Series};
use crate::harness::scenario::Player;
use crate::harness::wrapped::Wrapped;
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging::{self, LogOutput};
use crate::memory;
use crate::plan::{Plan, open_ports, plan_differences};
use crate::proxy::{ApplyError, Supervisor};
use crate::status_line::{StatusDisplay, StatusLine};
use crate::stop::{Signal, Stop};
use crate::terminal::Terminal;
use crate::{overview, test_server, threads};

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
        Ok(Command::Completions(shell)) => print(&cli::completions(shell)),
        Ok(Command::Man) => print(&cli::man()),
        Ok(Command::Check(routes)) => check(routes),
        Ok(Command::Explain(request)) => explained(request),
        Ok(Command::Compare { old, new }) => compare(old, new),
        Ok(Command::Run(options)) => proxy(*options),
        Ok(Command::Repeat(series)) => repeat(*series),
        Ok(Command::Exec(exec)) => become_command(*exec),
        Ok(Command::CtlHelp) => print(&cli::ctl_help()),
        Ok(Command::Ctl(invocation)) => control_other_process(*invocation),
        Err(UsageError::Flag(what)) => report(&format!("{what}\ntry `chaos-proxy --help`"), Exit::Usage),
        Err(UsageError::Ctl(what)) => report(&format!("{what}\ntry `chaos-proxy ctl --help`"), Exit::Usage),
        Err(UsageError::Toxics(problems)) => print_report(&problems),
    }
}

fn check(routes: Routes) -> Exit {
    match load(routes) {
        Ok(Resolved { value: plan, lookups }) => print(&format!("{}{}", lines(&lookups), overview::of(&plan))),
        Err(exit) => exit,
    }
}

/// Prints what a run with this seed will do. A run without one has another outcome each time.
fn explained(request: Explain) -> Exit {
    let Explain { routes, seed, connections, client, format } = request;
    let plan = match load(routes) {
        Ok(resolved) => resolved.value,
        Err(exit) => return exit,
    };
    let Some(seed) = seed.or(plan.seed()) else {
        return report("--explain needs a seed: give --seed N, or write \"seed\": N into the file", Exit::Usage);
    };
    let explanation = explain(&plan, seed, connections.into(), client);
    match format {
        ExplainFormat::Text => print(&explanation.to_string()),
        ExplainFormat::Json => print(&format!("{:#}\n", explanation.to_json())),
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
        Routes::File { path, defaults } => config::load(&path, defaults).map_err(|report| print_report(&report)),
    }
}

fn control_other_process(invocation: ctl::Invocation) -> Exit {
    match ctl::execute(invocation) {
        Ok(()) => Exit::Done,
        Err(ctl::CtlError::Usage(what)) => report(&what, Exit::Usage),
        Err(ctl::CtlError::Refused(what)) => report(&what, Exit::Failed),
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
    let file = ConfigFile::of(&options).map_err(|error| report(&error.to_string(), Exit::Usage));
    let (file, resolved) = match file.and_then(|file| Ok((file, load(options.routes)?))) {
        Ok(loaded) => loaded,
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
    let output = LogOutput::of(settings.log_file.as_deref())?;
    threads::wake_on_time();
    let admin = settings.admin.options(&resolved.value);
    let limit = DescriptorLimit::current();
    // These must run before the first thread is spawned.
    let cap = cap(&resolved.value, settings, admin.as_ref());
    let token = admin.as_ref().and_then(|admin| admin.token.clone());
    let control = Control::new(file, admin, settings.defaults)?;
    let status_line = match &command {
        // The terminal belongs to the command.
        Some(_) => StatusLine::Off,
        None => StatusLine::new(settings.log_level, settings.log_format, output.terminal())?,
    };
    let stop = Arc::new(Stop::new()?);
    let lifetime = Lifetime::new(command, limit, token, &stop)?;
    let flushed_at_the_end = logging::start(settings.log_level, settings.log_format, output)?;
    let display = status_line.below(&flushed_at_the_end);
    Ok(start(resolved, control, settings, cap, &stop, lifetime, display))
}

fn cap(plan: &Plan, settings: &Settings, admin: Option<&AdminOptions>) -> Cap {
    let (footprint, listeners) = needs(plan, settings.upstreams);
    let (added, admin_clients) = admin.map_or((0, 0), |_| (admin::ADDED_ROUTES, admin::CLIENTS.get()));
    let baseline = Baseline { listeners: listeners + added, admin_clients };
    limits::connection_cap(settings.max_connections, footprint, baseline)
}

fn start(
    resolved: &Resolved<Plan>,
    control: Control,
    settings: &Settings,
    cap: Cap,
    stop: &Arc<Stop>,
    lifetime: Lifetime,
    display: StatusDisplay,
) -> Exit {
    let Resolved { value: plan, lookups } = resolved;
    let seed = seed(settings, plan);
    emit(&Event::Starting(plan, seed, &cap));
    lookups.iter().for_each(Lookup::log);
    let max_buffered = settings.max_buffered.unwrap_or_else(memory::default_buffers);
    let supervisor = Arc::new(Supervisor::new(cap, max_buffered, seed, Arc::clone(stop)));
    let scenario = Arc::new(Player::new(Arc::clone(&supervisor), Arc::clone(stop)));
    let begin_scenario = || scenario.start(plan, Instant::now());
    match (open(&supervisor, control, plan, settings.upstreams, &scenario), lifetime) {
        (Err(exit), _) => exit,
        (Ok(admin), Lifetime::UntilSignal) => begin_scenario()
            .and_then(|()| announce(&supervisor, admin, display))
            .map_or_else(|error| report_event(&Event::StartFailed(&error)), |()| serve(&supervisor, settings, stop)),
        (Ok(admin), Lifetime::OfCommand(command)) => {
            wrap(command, &supervisor, admin, settings.drain_timeout, begin_scenario)
        }
    }
}

/// Runs the command to its end, and drains. Connections that are cut then are not a failure of the command.
fn wrap(
    command: Wrapped,
    supervisor: &Supervisor,
    admin: Option<SocketAddr>,
    drain_timeout: Option<Duration>,
    begun: impl FnOnce() -> io::Result<()>,
) -> Exit {
    match command.run(supervisor, admin, begun) {
        Ok(ended) => {
            let timeout = drain_timeout.unwrap_or(DRAIN_TIMEOUT_OF_COMMANDS);
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
    scenario: &Arc<Player>,
) -> Result<Option<SocketAddr>, Exit> {
    let admin = control.bind().map_err(|error| report_event(&Event::StartFailed(&error)))?;
    let admin_addr = admin.as_ref().map(Admin::local_addr);
    open_routes(supervisor, plan, upstreams)?;
    let started = control.start(admin, plan, supervisor, scenario);
    started.map_err(|error| report_event(&Event::StartFailed(&error)))?;
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
/// separate thread prints it, because a write to a full pipe would block the thread that waits for signals. stdout may be
/// the same terminal as stderr, so the status line comes after it.
fn announce(supervisor: &Arc<Supervisor>, admin: Option<SocketAddr>, display: StatusDisplay) -> io::Result<()> {
    let admin = admin.map(|addr| format!(" admin={addr}")).unwrap_or_default();
    let line = format!("ready pid={} ports={}{admin}\n", process::id(), open_ports(&supervisor.configured()));
    let routes = Arc::clone(supervisor);
    threads::spawn("ready", move || {
        print(&line);
        display.start(routes);
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

fn print_report(report: &config::Report) -> Exit {
    print_error(&report.printed(Terminal::of_stderr().colors()), Exit::Usage)
}

/// Prints without the program's name, because editors jump to lines that begin with `file:line:column`.
fn print_error(what: &str, exit: Exit) -> Exit {
    // If stderr is closed, the exit code is the only report.
    let _ = writeln!(io::stderr(), "{what}");
    exit
}
