//! A run that lasts as long as a command: starts the command with its environment, forwards signals to it, and returns how
//! it has ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::argv::Argv;
use super::command::{Arrival, Ended, Running};
use super::environment::{AdminServer, Variable, of_routes, of_run};
use super::exec::{DescriptorLimit, starter};
use crate::event::{CommandEvent, Event, emit};
use crate::plan::{Route, open_ports};
use crate::proxy::Supervisor;
use crate::signals;
use crate::stop::Stop;

/// Why a command has not begun.
#[derive(Debug)]
pub enum NotBegun {
    /// What it asks for does not exist.
    Invalid(Box<dyn Error>),
    /// The system has no process or thread for it.
    Failed(io::Error),
}

/// The command with the addresses of these routes, in its arguments and as variables.
///
/// # Errors
/// The command refers to a route that does not exist, or two routes have the same variables.
pub fn with_routes(argv: Argv, routes: &[Route]) -> Result<(Argv, Vec<Variable>), Box<dyn Error>> {
    Ok((argv.with_addresses(routes)?, of_routes(routes)?))
}

/// A command that has not begun.
#[derive(Debug)]
pub struct Wrapped {
    argv: Argv,
    limit: DescriptorLimit,
    signals: Receiver<Arrival>,
    stop: Arc<Stop>,
    token: Option<String>,
}

impl Wrapped {
    /// The command as written, for the report.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let Argv { program, arguments } = &self.argv;
        [program].into_iter().chain(arguments).map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Installs the handlers of signals. Call it before any other thread starts. `limit` is that of the command.
    ///
    /// # Errors
    /// A handler can't be set, or a thread can't be spawned.
    pub fn new(argv: Argv, limit: DescriptorLimit, token: Option<String>, stop: &Arc<Stop>) -> io::Result<Self> {
        signals::block_quit()?;
        let (sender, signals) = crossbeam_channel::unbounded();
        let after_the_command = Arc::clone(stop);
        signals::install(move |signal, source| {
            if sender.send((signal, source)).is_err() {
                after_the_command.request(signal);
            }
        })?;
        Ok(Self { argv, limit, signals, stop: Arc::clone(stop), token })
    }

    /// Runs the command to its end. Calls `begun` when it has begun. Call it from the main thread.
    ///
    /// # Errors
    /// The command does not fit the routes, no process can be started, or `begun` fails.
    pub fn run(
        self,
        supervisor: &Supervisor,
        admin: Option<SocketAddr>,
        begun: impl FnOnce() -> io::Result<()>,
    ) -> Result<Ended, NotBegun> {
        let routes = supervisor.configured();
        let admin = admin.map(|addr| AdminServer { addr, token: self.token.clone() });
        let (argv, variables) = with_routes(self.argv.clone(), &routes).map_err(NotBegun::Invalid)?;
        if let Ok((signal, _)) = self.signals.try_recv() {
            return Ok(Ended::Killed(signal.number()));
        }
        let mut starter = starter(&argv.program, &argv, self.limit);
        starter.envs(of_run(supervisor.seed(), admin.as_ref())).envs(variables);
        let running = Running::start(&mut starter)?;
        begun().inspect_err(|_| running.kill())?;
        let (pid, command, ports) = (running.pid(), argv.to_string(), open_ports(&routes));
        log(CommandEvent::Started { pid, command: &command, ports: &ports });
        let ended = self.wait(&running);
        log(CommandEvent::Ended(&ended.to_string()));
        Ok(ended)
    }

    /// The first signal is forwarded, another one kills the command and cuts connections.
    fn wait(&self, running: &Running) -> Ended {
        let mut is_first = true;
        let ended = running.wait(&self.signals, |arrival| {
            if std::mem::take(&mut is_first) {
                log(CommandEvent::Signalled(arrival.0, running.forward(arrival)));
            } else {
                running.kill();
                self.stop.cut().trigger();
                log(CommandEvent::Killed);
            }
        });
        // From now on, the next signal cuts connections.
        self.stop.draining().trigger();
        self.signals.try_iter().for_each(|(signal, _)| self.stop.request(signal));
        ended
    }
}

impl From<io::Error> for NotBegun {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for NotBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Failed(error) => write!(f, "the command can't be started: {error}"),
        }
    }
}

impl Error for NotBegun {}

fn log(event: CommandEvent<'_>) {
    emit(&Event::Command(event));
}
