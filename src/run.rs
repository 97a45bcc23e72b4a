//! One run, from the parsed command line to the exit code: the order in which things are opened and closed.

use std::collections::HashSet;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use crate::admin::{self, Admin};
use crate::cli::{
    self, AdminOptions, Command, Explain, ExplainFormat, Options, Routes, Settings, Upstreams, UsageError,
};
use crate::config::{self, Lookup, Resolved};
use crate::control::{ConfigFile, Control};
use crate::ctl;
use crate::dice;
use crate::event::{Event, Origin, emit, logs_info};
use crate::explain::explain;
use crate::harness::report::{ConfigDigest, ScenarioStep};
use crate::harness::scenario::Player;
use crate::harness::{Conclusion, Recorder, RunFacts, Summary};
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging::{self, LogFormat};
use crate::memory;
use crate::plan::{Plan, RouteState, plan_differences};
use crate::proxy::{ApplyError, Supervisor};
use crate::status_line::{StatusDisplay, StatusLine};
use crate::stop::{Signal, Stop};
use crate::terminal::Terminal;
use crate::{overview, signals, test_server, threads};

/// How a run ended. Converts into the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: success, no connection was cut.
    Done,
    /// 1: the run could not start, or connections were cut at the drain deadline.
    Failed,
    /// 2: the command line or the config is invalid.
    Usage,
    /// 4: the run itself succeeded, but an expectation of the config has failed.
    Unmet,
    /// 130 or 143: a second signal cut the drain short. Shells use the same codes for a process killed by the signal.
    CutBy(Signal),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unmet => 4,
            Exit::CutBy(Signal::Interrupt) => 130,
            Exit::CutBy(Signal::Terminate) => 143,
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
    load_identified(routes).map(|(plan, _)| plan)
}

/// Also returns which file it was, unless the routes are flags.
fn load_identified(routes: Routes) -> Result<(Resolved<Plan>, Option<ConfigDigest>), Exit> {
    match routes {
        Routes::Flags(resolved) => Ok((resolved, None)),
        Routes::File { path, defaults } => {
            let source = config::Source::read(&path);
            let loaded =
                source.and_then(|source| Ok((source.parse(defaults)?, ConfigDigest::of(&source.name, &source.text))));
            loaded.map(|(plan, digest)| (plan, Some(digest))).map_err(|report| print_report(&report))
        }
    }
}

fn control_other_process(invocation: ctl::Invocation) -> Exit {
    match ctl::execute(invocation) {
        Ok(()) => Exit::Done,
        Err(ctl::CtlError::Usage(what)) => report(&what, Exit::Usage),
        Err(ctl::CtlError::Refused(what)) => report(&what, Exit::Failed),
    }
}

fn proxy(options: Options) -> Exit {
    for warning in &options.warnings {
        report(&format!("warning: {warning}"), Exit::Done);
    }
    let file = ConfigFile::of(&options).map_err(|error| report(&error.to_string(), Exit::Usage));
    let (file, (resolved, digest)) = match file.and_then(|file| Ok((file, load_identified(options.routes)?))) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if let Some(warning) = options.settings.admin.warning(&resolved.value) {
        report(&format!("warning: {warning}"), Exit::Done);
    }
    let facts = facts(&resolved.value, digest, &options.settings);
    prepare(&resolved, file, &options.settings, facts).unwrap_or_else(|error| report(&error.to_string(), Exit::Failed))
}

/// What the run is, for its report.
fn facts(plan: &Plan, config: Option<ConfigDigest>, settings: &Settings) -> RunFacts {
    let seed = settings.seed.or(plan.seed()).unwrap_or_else(dice::fresh_seed);
    let (expectations, output) = (plan.expectations().to_vec(), settings.report.clone());
    RunFacts { seed, arguments: env::args_os().collect(), config, expectations, output }
}

/// Sets up what every run needs before its first route.
fn prepare(
    resolved: &Resolved<Plan>,
    file: Option<ConfigFile>,
    settings: &Settings,
    facts: RunFacts,
) -> io::Result<Exit> {
    threads::wake_on_time();
    let admin = settings.admin.options(&resolved.value);
    // All three must run before the first thread is spawned.
    let cap = cap(&resolved.value, settings, admin.as_ref());
    let control = Control::new(file, admin, settings.defaults)?;
    let status_line = StatusLine::new(settings.log_level, settings.log_format)?;
    let stop = Arc::new(Stop::new()?);
    signals::install(&stop)?;
    let log = logging::start(settings.log_level, settings.log_format)?;
    let display = status_line.below(&log);
    let (exit, table) = start(resolved, control, settings, facts, cap, &stop, display);
    // The table comes after the last line.
    drop(log);
    Ok(table.map_or(exit, |table| print_error(&table, exit)))
}

fn cap(plan: &Plan, settings: &Settings, admin: Option<&AdminOptions>) -> Cap {
    let (footprint, listeners) = needs(plan, settings.upstreams);
    let (added, admin_clients) = admin.map_or((0, 0), |_| (admin::ADDED_ROUTES, admin::CLIENTS.get()));
    let baseline = Baseline { listeners: listeners + added, admin_clients };
    limits::connection_cap(settings.max_connections, footprint, baseline)
}

/// Returns the table about the run, if there is one.
fn start(
    resolved: &Resolved<Plan>,
    control: Control,
    settings: &Settings,
    facts: RunFacts,
    cap: Cap,
    stop: &Arc<Stop>,
    display: StatusDisplay,
) -> (Exit, Option<String>) {
    let (Resolved { value: plan, lookups }, seed) = (resolved, facts.seed);
    emit(&Event::Starting(plan, seed, &cap));
    lookups.iter().for_each(Lookup::log);
    let max_buffered = settings.max_buffered.unwrap_or_else(memory::default_buffers);
    let supervisor = Arc::new(Supervisor::new(cap, max_buffered, seed, Arc::clone(stop)));
    let scenario = Arc::new(Player::new(Arc::clone(&supervisor), Arc::clone(stop)));
    let recorder = match Recorder::start(facts, &supervisor) {
        Ok(recorder) => recorder,
        Err(error) => return (report_event(&Event::StartFailed(&error)), None),
    };
    match open(&supervisor, control, plan, settings.upstreams, display, &scenario) {
        Ok(()) => {
            let exit = serve(&supervisor, settings, stop);
            let (conclusion, summary) = recorder.conclude(
                &supervisor,
                None,
                scenario.progress().steps.iter().map(ScenarioStep::from).collect(),
            );
            (judged(exit, conclusion), summarise(&summary, settings.log_format))
        }
        Err(exit) => (exit, None),
    }
}

/// The exit code of a run that has failed for another reason stays.
fn judged(exit: Exit, conclusion: Conclusion) -> Exit {
    match (exit, conclusion) {
        (Exit::Done, Conclusion::Unmet) => Exit::Unmet,
        (Exit::Done, Conclusion::ReportLost) => Exit::Failed,
        (exit, _) => exit,
    }
}

/// Returns the table for a terminal. Elsewhere the summary is logged, so that a reader of the log meets log lines only.
fn summarise(summary: &Summary, format: LogFormat) -> Option<String> {
    if io::stderr().is_terminal() && format != LogFormat::Json {
        return (logs_info() && !summary.is_empty()).then(|| summary.table());
    }
    summary.log();
    None
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
    display: StatusDisplay,
    scenario: &Arc<Player>,
) -> Result<(), Exit> {
    let admin = control.bind().map_err(|error| report_event(&Event::StartFailed(&error)))?;
    let admin_addr = admin.as_ref().map(Admin::local_addr);
    open_routes(supervisor, plan, upstreams)?;
    let live = Arc::clone(supervisor);
    // stdout may be the same terminal, so the ready line comes before the status line.
    let then = move || display.start(live);
    let started = scenario.start(plan, Instant::now());
    let started = started.and_then(|()| control.start(admin, plan, supervisor, scenario));
    let started = started.and_then(|()| announce(plan, admin_addr, then));
    started.map_err(|error| report_event(&Event::StartFailed(&error)))
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
/// separate thread prints it, because a write to a full pipe would block the thread that waits for signals, and does what
/// comes `then`.
fn announce(plan: &Plan, admin: Option<SocketAddr>, then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let enabled = plan.routes().iter().filter(|route| route.state == RouteState::Enabled);
    let ports: Vec<String> = enabled.map(|route| route.port.to_string()).collect();
    let admin = admin.map(|addr| format!(" admin={addr}")).unwrap_or_default();
    let line = format!("ready pid={} ports={}{admin}\n", process::id(), ports.join(","));
    threads::spawn("ready", move || {
        print(&line);
        then();
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
