//! A run of the proxy from its first route to its last connection: the order in which things are opened and closed.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Exit, print};
use crate::admin::Admin;
use crate::cli::{RunSettings, Upstreams};
use crate::control::Control;
use crate::event::{DrainEvent, Event, Origin, Outcome, emit, logs_info};
use crate::explore::recorded;
use crate::harness::lifetime::Lifetime;
use crate::harness::report::CommandOutcome;
use crate::harness::scenario::Player;
use crate::harness::wrapped::{NotBegun, Wrapped};
use crate::harness::{Conclusion, Recorder, RunFacts, Summary};
use crate::limits::Cap;
use crate::logging::LogFormat;
use crate::memory;
use crate::plan::{Plan, open_ports};
use crate::proxy::{ApplyError, Recording, Supervisor};
use crate::status_line::StatusDisplay;
use crate::stop::Stop;
use crate::{terminal, test_server, threads};

/// The time from the end of a wrapped command until live connections are cut. A test suite should not hang on what it
/// has left open.
const DRAIN_TIMEOUT_OF_COMMANDS: Duration = Duration::from_secs(10);

/// A run whose log has started.
pub(super) struct LiveRun<'a> {
    plan: &'a Plan,
    settings: &'a RunSettings,
    stop: &'a Stop,
    supervisor: Arc<Supervisor>,
    player: Arc<Player>,
    recording: Option<Arc<Recording>>,
}

/// What is set up before the first thread, and is used once the routes are open.
pub(super) struct Controls {
    pub(super) control: Control,
    pub(super) lifetime: Lifetime,
    pub(super) display: StatusDisplay,
}

/// How a run has ended.
struct Ended {
    exit: Exit,
    /// The wrapped command, if there was one.
    command: Option<CommandOutcome>,
}

impl<'a> LiveRun<'a> {
    pub(super) fn new(plan: &'a Plan, settings: &'a RunSettings, seed: u64, cap: Cap, stop: &'a Arc<Stop>) -> Self {
        let max_buffered = settings.max_buffered.unwrap_or_else(memory::default_buffers);
        let recording = settings.messages.as_ref().map(|_| Arc::default());
        let supervisor = Supervisor::new(cap, max_buffered, seed, Arc::clone(stop), recording.clone());
        let supervisor = Arc::new(supervisor);
        let player = Arc::new(Player::new(Arc::clone(&supervisor), Arc::clone(stop)));
        Self { plan, settings, stop, supervisor, player, recording }
    }

    /// Returns the table about the run, if there is one.
    pub(super) fn execute(&self, facts: RunFacts, controls: Controls) -> (Exit, Option<String>) {
        match self.record(facts, controls) {
            Ok((exit, summary)) => (exit, summarise(&summary, self.settings.log_format)),
            Err(exit) => (exit, None),
        }
    }

    fn record(&self, facts: RunFacts, controls: Controls) -> Result<(Exit, Summary), Exit> {
        let recorder = Recorder::start(facts, &self.supervisor).map_err(start_failed)?;
        let Ended { exit, command } = self.run(controls)?;
        let (conclusion, summary) = recorder.conclude(&self.supervisor, command, &self.player.steps());
        self.write_messages()?;
        Ok((judged(exit, conclusion), summary))
    }

    fn write_messages(&self) -> Result<(), Exit> {
        let (Some(recording), Some(path)) = (&self.recording, &self.settings.messages) else { return Ok(()) };
        let text = recorded::text(&recording.connections());
        fs::write(path, text).map_err(|error| {
            emit(&Event::Outcome(Outcome::ReportLost(&path.display().to_string(), &error)));
            Exit::Failed
        })
    }

    fn run(&self, Controls { control, lifetime, display }: Controls) -> Result<Ended, Exit> {
        let admin = self.open(control)?;
        match lifetime {
            Lifetime::UntilSignal => {
                self.begin_scenario().and_then(|()| self.announce(admin, display)).map_err(start_failed)?;
                Ok(Ended { exit: self.serve(), command: None })
            }
            Lifetime::OfCommand(command) => self.wrap(command, admin),
        }
    }

    /// Opens everything before the ready line. An address of the admin server that is in use fails the start before any
    /// route listens.
    fn open(&self, control: Control) -> Result<Option<SocketAddr>, Exit> {
        let admin = control.bind().map_err(start_failed)?;
        let admin_addr = admin.as_ref().map(Admin::local_addr);
        self.open_routes()?;
        control.start(admin, self.plan, &self.supervisor, &self.player).map_err(start_failed)?;
        Ok(admin_addr)
    }

    /// Opens the test server before the listeners, so that the first connection finds its upstream.
    fn open_routes(&self) -> Result<(), Exit> {
        if self.settings.upstreams == Upstreams::TestServer {
            test_server::start(self.plan.outer_upstreams()).map_err(start_failed)?;
        }
        self.supervisor.apply(self.plan, Origin::Start).map(drop).map_err(|error| match error {
            ApplyError::Bind(failed) => {
                for (route, error) in &failed {
                    emit(&Event::BindFailed(route, error));
                }
                Exit::Failed
            }
            error => start_failed(error),
        })
    }

    fn begin_scenario(&self) -> io::Result<()> {
        self.player.start(self.plan, Instant::now())
    }

    /// Prints the ready line, the only line of stdout. A script that waits for it can connect to everything named in
    /// it. A separate thread prints it, because a write to a full pipe would block the thread that waits for signals.
    /// stdout may be the same terminal as stderr, so the status line comes after it.
    fn announce(&self, admin: Option<SocketAddr>, display: StatusDisplay) -> io::Result<()> {
        let supervisor = Arc::clone(&self.supervisor);
        let admin = admin.map(|addr| format!(" admin={addr}")).unwrap_or_default();
        let line = format!("ready pid={} ports={}{admin}\n", process::id(), open_ports(&supervisor.configured()));
        threads::spawn("ready", move || {
            print(&line);
            display.start(supervisor);
        })
    }

    /// Waits for the first signal, and drains.
    fn serve(&self) -> Exit {
        // Nothing is ever sent. The channel disconnects at the first signal.
        let _ = self.stop.draining().channel().recv();
        let cut = self.supervisor.drain(self.settings.drain_timeout);
        emit(&Event::Drain(DrainEvent::Ended(cut)));
        match (self.stop.cut_by(), cut) {
            (_, 0) => Exit::Done,
            (Some(signal), _) => Exit::CutBy(signal),
            (None, _) => Exit::Failed,
        }
    }

    /// Runs the command to its end, and drains. Connections that are cut then are not a failure of the command.
    fn wrap(&self, command: Wrapped, admin: Option<SocketAddr>) -> Result<Ended, Exit> {
        let argv = command.words();
        let ended = command.run(&self.supervisor, admin, || self.begin_scenario()).map_err(|error| match error {
            NotBegun::Invalid(_) => {
                start_failed(error);
                Exit::Usage
            }
            NotBegun::Failed(_) => start_failed(error),
        })?;
        let timeout = self.settings.drain_timeout.unwrap_or(DRAIN_TIMEOUT_OF_COMMANDS);
        emit(&Event::Drain(DrainEvent::Ended(self.supervisor.drain(Some(timeout)))));
        let code = ended.exit_code();
        Ok(Ended { exit: Exit::Command(code), command: Some(CommandOutcome { argv, exit_code: code.into() }) })
    }
}

fn start_failed(error: impl Error) -> Exit {
    emit(&Event::StartFailed(&error));
    Exit::Failed
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
        return (logs_info() && !summary.is_empty()).then(|| summary.table(terminal::columns()));
    }
    summary.log();
    None
}
