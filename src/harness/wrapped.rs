//! A run that lasts as long as a command: starts the command with its environment, forwards signals to it, and returns how
//! it has ended.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::argv::Argv;
use super::command::{Ended, Running};
use super::environment::{AdminServer, variables};
use super::exec::{DescriptorLimit, starter};
use crate::event::{CommandEvent, Event, emit};
use crate::plan::open_ports;
use crate::proxy::Supervisor;
use crate::signals;
use crate::stop::{Signal, Stop};

/// A command that has not begun.
#[derive(Debug)]
pub struct Wrapped {
    argv: Argv,
    limit: DescriptorLimit,
    signals: Receiver<Signal>,
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
        signals::install(move |signal| {
            if sender.send(signal).is_err() {
                after_the_command.request(signal);
            }
        })?;
        Ok(Self { argv, limit, signals, stop: Arc::clone(stop), token })
    }

    /// Runs the command to its end. Calls `begun` when it has begun. Call it from the main thread.
    ///
    /// # Errors
    /// The command refers to a route that does not exist, two routes have the same variables, no process can be started, or
    /// `begun` fails.
    pub fn run(
        self,
        supervisor: &Supervisor,
        admin: Option<SocketAddr>,
        begun: impl FnOnce() -> io::Result<()>,
    ) -> Result<Ended, Box<dyn Error>> {
        let routes = supervisor.configured();
        let admin = admin.map(|addr| AdminServer { addr, token: self.token.clone() });
        let variables = variables(supervisor.seed(), &routes, admin.as_ref())?;
        let argv = self.argv.clone().with_addresses(&routes)?;
        if let Ok(signal) = self.signals.try_recv() {
            return Ok(Ended::Killed(signal.number()));
        }
        let running = Running::start(starter(&argv, self.limit).envs(variables))?;
        begun()?;
        let (pid, command, ports) = (running.pid(), argv.to_string(), open_ports(&routes));
        log(CommandEvent::Started { pid, command: &command, ports: &ports });
        let ended = self.wait(&running);
        log(CommandEvent::Ended(&ended.to_string()));
        Ok(ended)
    }

    /// The first signal is forwarded, another one kills the command and cuts connections.
    fn wait(&self, running: &Running) -> Ended {
        let mut is_first = true;
        let ended = running.wait(&self.signals, |signal| {
            if std::mem::take(&mut is_first) {
                log(CommandEvent::Signalled(signal, running.forward(signal)));
            } else {
                running.kill();
                self.stop.cut().trigger();
                log(CommandEvent::Killed);
            }
        });
        // From now on, the next signal cuts connections.
        self.stop.draining().trigger();
        self.signals.try_iter().for_each(|signal| self.stop.request(signal));
        ended
    }
}

fn log(event: CommandEvent<'_>) {
    emit(&Event::Command(event));
}
