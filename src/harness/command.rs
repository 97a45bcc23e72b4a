//! A process that chaos-proxy starts, forwards signals to, and waits for.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Instant;

use crossbeam_channel::{Receiver, at, never, select};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal as Unix, WaitOptions, WaitStatus, getpgid, getpgrp, kill_process_group, pidfd_open,
    pidfd_send_signal, wait,
};

use crate::event::Sender;
use crate::signals::Source;
use crate::stop::Signal;
use crate::threads;

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has exited with this code.
    Exited(u8),
    /// A signal of this number has ended it.
    Killed(u8),
    /// The kernel has not kept its status, because whatever started chaos-proxy ignores SIGCHLD.
    Unknown,
}

impl Ended {
    /// The exit code with which a shell reports it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128_u8.saturating_add(signal),
            Self::Unknown => 1,
        }
    }
}

impl From<WaitStatus> for Ended {
    fn from(status: WaitStatus) -> Self {
        let number = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
        match (number(status.exit_status()), number(status.terminating_signal())) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("unknown, SIGCHLD is ignored"),
        }
    }
}

/// What has ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The process has ended.
    Ended(Ended),
    /// A signal has arrived.
    Signalled(Signal),
    /// The time has passed.
    Due,
}

/// A signal, and what has sent it.
pub type Arrival = (Signal, Source);

/// A running process.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    /// Signals are sent through this descriptor: the number of a process that has ended may be another one's.
    pidfd: OwnedFd,
    ended: Receiver<Ended>,
}

impl Running {
    /// Starts a process. Call it from the main thread: the process gets SIGTERM when the thread that started it ends.
    ///
    /// # Errors
    /// It can't be started, or no thread or descriptor is available.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let (sender, ended) = crossbeam_channel::bounded(1);
        threads::spawn("command", move || reap(pid, &sender))?;
        Ok(Self { pid, pidfd, ended })
    }

    /// The number of the process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until the process ends. Calls `received` with each signal that arrives before that.
    pub fn wait(&self, signals: &Receiver<Arrival>, mut received: impl FnMut(Arrival)) -> Ended {
        loop {
            select! {
                recv(self.ended) -> ended => return ended.unwrap_or(Ended::Unknown),
                // The handlers of signals keep their sender until the process ends.
                recv(signals) -> arrival => arrival.into_iter().for_each(&mut received),
            }
        }
    }

    /// Waits until the process ends, a signal arrives or `due` has passed.
    pub fn wait_until(&self, signals: &Receiver<Arrival>, due: Option<Instant>) -> Waited {
        select! {
            recv(self.ended) -> ended => Waited::Ended(ended.unwrap_or(Ended::Unknown)),
            recv(signals) -> arrival => arrival.map_or(Waited::Due, |(signal, _)| Waited::Signalled(signal)),
            recv(due.map_or_else(never, at)) -> _ => Waited::Due,
        }
    }

    /// Forwards a signal, unless the terminal has sent it to this process as well. Returns what has sent it.
    #[must_use]
    pub fn forward(&self, (signal, source): Arrival) -> Sender {
        // A shell with job control has a process group of its own, which is in the foreground instead of this one.
        if source == Source::Terminal && getpgid(Some(self.pid)) == Ok(getpgrp()) {
            return Sender::Terminal;
        }
        self.send(match signal {
            Signal::Interrupt => Unix::INT,
            Signal::Terminate => Unix::TERM,
        });
        Sender::Proxy
    }

    /// Kills the process.
    pub fn kill(&self) {
        self.send(Unix::KILL);
    }

    /// Kills the process and what it has started, if it was started in a process group of its own. Waits for its end.
    pub fn kill_group(&self) {
        // It fails only if all of them have ended.
        let _ = kill_process_group(self.pid, Unix::KILL);
        self.kill();
        let _ = self.ended.recv();
    }

    fn send(&self, signal: Unix) {
        // It fails only if the process has ended.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }
}

/// Waits for all children until this one ends. As PID 1 of a container, this process is the parent of orphans too, and
/// nothing else would remove them from the process table.
fn reap(pid: Pid, ended: &crossbeam_channel::Sender<Ended>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((child, status))) if child == pid => {
                // Nothing waits for it if the start has failed.
                let _ = ended.send(status.into());
                return;
            }
            Ok(_) | Err(Errno::INTR) => {}
            // There is no child any more.
            Err(_) => return,
        }
    }
}
