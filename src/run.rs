//! One run, from what the command line asked for to an exit code: the order in which things are opened and closed.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;

use crate::cli::{Command, HELP, Options, Routes, Settings, Upstreams, UsageError};
use crate::config;
use crate::dice;
use crate::event::{Event, emit};
use crate::limits::{self, Baseline, Cap, Footprint};
use crate::logging;
use crate::plan::Plan;
use crate::proxy::{ApplyError, Supervisor};
use crate::stop::{Signal, Stop};
use crate::{signals, test_server, threads};

/// How a run ended, as the process tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and every connection ended by itself.
    Done,
    /// 1: it could not run, or connections had to be cut at the drain's deadline.
    Failed,
    /// 2: the command line or the config is wrong.
    Usage,
    /// 130 or 143, as a shell has it for a process that died of the signal: a second one cut the drain short.
    CutBy(Signal),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::CutBy(Signal::Interrupt) => 130,
            Exit::CutBy(Signal::Terminate) => 143,
        })
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn run(command: Result<Command, UsageError>) -> Exit {
    match command {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("chaos-proxy ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Check(routes)) => check(routes),
        Ok(Command::Run(options)) => proxy(*options),
        Err(UsageError(what)) => report(&format!("{what}\ntry `chaos-proxy --help`"), Exit::Usage),
    }
}

fn check(routes: Routes) -> Exit {
    match load(routes) {
        Ok(plan) if plan.routes().len() == 1 => print("ok: 1 route\n"),
        Ok(plan) => print(&format!("ok: {} routes\n", plan.routes().len())),
        Err(exit) => exit,
    }
}

fn load(routes: Routes) -> Result<Plan, Exit> {
    match routes {
        Routes::Flags(plan) => Ok(plan),
        Routes::File { path, defaults } => {
            config::load(&path, defaults).map_err(|report| print_error(&report.to_string(), Exit::Usage))
        }
    }
}

fn proxy(options: Options) -> Exit {
    for warning in &options.warnings {
        report(&format!("warning: {warning}"), Exit::Done);
    }
    match load(options.routes) {
        Ok(plan) => prepare(&plan, &options.settings).unwrap_or_else(|error| report(&error.to_string(), Exit::Failed)),
        Err(exit) => exit,
    }
}

/// Opens what every run needs before its first route.
fn prepare(plan: &Plan, settings: &Settings) -> io::Result<Exit> {
    threads::wake_on_time();
    let (footprint, baseline) = needs(plan, settings.upstreams);
    // Before there is a second thread.
    let cap = limits::connection_cap(settings.max_connections, footprint, baseline);
    let stop = Arc::new(Stop::new()?);
    signals::install(&stop)?;
    let _flushed_at_the_end = logging::start(settings.log_level, settings.log_format)?;
    Ok(serve(plan, settings, cap, &stop))
}

fn serve(plan: &Plan, settings: &Settings, cap: Cap, stop: &Arc<Stop>) -> Exit {
    let seed = settings.seed.or(plan.seed()).unwrap_or_else(dice::fresh_seed);
    emit(&Event::Starting(plan, seed, &cap));
    let supervisor = Supervisor::new(cap, Arc::clone(stop));
    if let Err(exit) = open(&supervisor, plan, seed, settings.upstreams) {
        return exit;
    }
    if let Err(error) = announce(plan) {
        return report_event(&Event::StartFailed(&error));
    }
    // Nothing is ever sent: it disconnects at the first signal.
    let _ = stop.draining().channel().recv();
    let cut = supervisor.drain(settings.drain_timeout);
    emit(&Event::Drained(cut));
    match (stop.cut_by(), cut) {
        (_, 0) => Exit::Done,
        (Some(signal), _) => Exit::CutBy(signal),
        (None, _) => Exit::Failed,
    }
}

/// The upstreams first: whoever is let in by a listener finds them there.
fn open(supervisor: &Supervisor, plan: &Plan, seed: u64, upstreams: Upstreams) -> Result<(), Exit> {
    if upstreams == Upstreams::TestServer {
        let served = test_server::start(plan.outer_upstreams());
        served.map_err(|error| report_event(&Event::StartFailed(&error)))?;
    }
    supervisor.apply(plan, seed).map_err(|error| match error {
        ApplyError::Bind(failed) => {
            for (route, error) in &failed {
                emit(&Event::BindFailed(route, error));
            }
            Exit::Failed
        }
        ApplyError::Thread(error) => report_event(&Event::StartFailed(&error)),
    })
}

fn needs(plan: &Plan, upstreams: Upstreams) -> (Footprint, Baseline) {
    let routes = plan.routes().len();
    match upstreams {
        Upstreams::External => (Footprint::PROXIED, Baseline { listeners: routes }),
        Upstreams::TestServer => {
            let served: HashSet<SocketAddr> = plan.outer_upstreams().collect();
            (Footprint::PROXIED_AND_SERVED, Baseline { listeners: routes + served.len() })
        }
    }
}

/// The one line of stdout: a script that waits for it can connect to every port that it names. From a thread of its own,
/// since a full pipe that nobody reads would keep us from hearing any signal.
fn announce(plan: &Plan) -> io::Result<()> {
    let ports: Vec<String> = plan.routes().iter().map(|route| route.port.to_string()).collect();
    let line = format!("ready pid={} ports={}\n", process::id(), ports.join(","));
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
    // A reader that is gone wants nothing more; `chaos-proxy --help | head -1` is no failure.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Done
}

/// For what goes wrong before there is a log.
fn report(what: &str, exit: Exit) -> Exit {
    print_error(&format!("chaos-proxy: {what}"), exit)
}

/// Without our name in front: editors jump to a line that begins with `file:line:column`.
fn print_error(what: &str, exit: Exit) -> Exit {
    // Without a stderr the exit code has to do.
    let _ = writeln!(io::stderr(), "{what}");
    exit
}
