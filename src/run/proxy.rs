//! One run of the proxy: the order in which things are opened and closed.

use std::collections::HashSet;
use std::env;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Exit, load_identified, print, print_error, report, report_event};
use crate::admin::{self, Admin};
use crate::cli::{AdminOptions, Options, Settings, Upstreams};
use crate::config::{Lookup, Resolved};
use crate::control::{ConfigFile, Control};
use crate::dice;
use crate::event::{Event, Origin, emit, logs_info};
use crate::harness::argv::Argv;
use crate::harness::exec::DescriptorLimit;
use crate::harness::lifetime::Lifetime;
use crate::harness::report::{CommandOutcome, ConfigDigest, Output};
use crate::harness::scenario::Player;
use crate::harness::wrapped::Wrapped;
use crate::harness::{Conclusion, Recorder, RunFacts, Summary};
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging::{self, LogFormat, LogOutput};
use crate::memory;
use crate::plan::{Plan, open_ports};
use crate::proxy::{ApplyError, Supervisor};
use crate::status_line::{StatusDisplay, StatusLine};
use crate::stop::Stop;
use crate::{test_server, threads};

/// The time from the end of a wrapped command until live connections are cut. A test suite should not hang on what it has
/// left open.
const DRAIN_TIMEOUT_OF_COMMANDS: Duration = Duration::from_secs(10);

pub(super) fn seed(settings: &Settings, plan: &Plan) -> u64 {
    settings.seed.or(plan.seed()).unwrap_or_else(dice::fresh_seed)
}

pub(super) fn proxy(options: Options) -> Exit {
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
    let (command, settings) = (options.command, &options.settings);
    prepare(&resolved, file, command, settings, facts).unwrap_or_else(|error| report(&error.to_string(), Exit::Failed))
}

/// What the run is, for its report.
fn facts(plan: &Plan, config: Option<ConfigDigest>, settings: &Settings) -> RunFacts {
    let (expectations, output) = (plan.expectations().to_vec(), settings.report.clone());
    RunFacts { seed: seed(settings, plan), arguments: env::args_os().collect(), config, expectations, output }
}

/// Sets up what every run needs before its first route.
fn prepare(
    resolved: &Resolved<Plan>,
    file: Option<ConfigFile>,
    command: Option<Argv>,
    settings: &Settings,
    facts: RunFacts,
) -> io::Result<Exit> {
    let output = LogOutput::of(settings.log_file.as_deref())?;
    settings.report.as_ref().map_or(Ok(()), Output::check)?;
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
    let log = logging::start(settings.log_level, settings.log_format, output)?;
    let display = status_line.below(&log);
    let controls = Controls { control, lifetime, display };
    let (exit, table) = start(resolved, settings, facts, cap, &stop, controls);
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

/// What is set up before the first thread, and is used once the routes are open.
struct Controls {
    control: Control,
    lifetime: Lifetime,
    display: StatusDisplay,
}

/// Returns the table about the run, if there is one.
fn start(
    resolved: &Resolved<Plan>,
    settings: &Settings,
    facts: RunFacts,
    cap: Cap,
    stop: &Arc<Stop>,
    Controls { control, lifetime, display }: Controls,
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
    let begin_scenario = || scenario.start(plan, Instant::now());
    let ended = open(&supervisor, control, plan, settings.upstreams, &scenario).and_then(|admin| match lifetime {
        Lifetime::UntilSignal => {
            let begun = begin_scenario().and_then(|()| announce(&supervisor, admin, display));
            begun.map_err(|error| report_event(&Event::StartFailed(&error)))?;
            Ok((serve(&supervisor, settings, stop), None))
        }
        Lifetime::OfCommand(command) => wrap(command, &supervisor, admin, settings.drain_timeout, begin_scenario),
    });
    match ended {
        Ok((exit, command)) => {
            let (conclusion, summary) = recorder.conclude(&supervisor, command, &scenario.steps());
            (judged(exit, conclusion), summarise(&summary, settings.log_format))
        }
        Err(exit) => (exit, None),
    }
}

/// Runs the command to its end, and drains. Connections that are cut then are not a failure of the command.
fn wrap(
    command: Wrapped,
    supervisor: &Supervisor,
    admin: Option<SocketAddr>,
    drain_timeout: Option<Duration>,
    begun: impl FnOnce() -> io::Result<()>,
) -> Result<(Exit, Option<CommandOutcome>), Exit> {
    let argv = command.words();
    match command.run(supervisor, admin, begun) {
        Ok(ended) => {
            let timeout = drain_timeout.unwrap_or(DRAIN_TIMEOUT_OF_COMMANDS);
            emit(&Event::Drained(supervisor.drain(Some(timeout))));
            let code = ended.exit_code();
            Ok((Exit::Command(code), Some(CommandOutcome { argv, exit_code: code.into() })))
        }
        Err(error) => {
            emit(&Event::StartFailed(&*error));
            Err(Exit::Usage)
        }
    }
}

/// The exit code of a run that has failed for another reason stays.
fn judged(exit: Exit, conclusion: Conclusion) -> Exit {
    match (exit, conclusion) {
        (Exit::Done | Exit::Command(0), Conclusion::Unmet) => Exit::Unmet,
        (Exit::Done | Exit::Command(0), Conclusion::ReportLost) => Exit::Failed,
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
