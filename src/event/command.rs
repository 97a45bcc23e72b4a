//! The events of a wrapped command.

use log::{info, warn};

use crate::stop::Signal;

/// What happens to a wrapped command.
#[derive(Clone, Copy, Debug)]
pub enum CommandEvent<'a> {
    /// It has begun.
    Started {
        /// The number of its process.
        pid: i32,
        /// The command line.
        command: &'a str,
        /// The ports that accept connections.
        ports: &'a str,
    },
    /// It has received a signal.
    Signalled(Signal, Sender),
    /// A second signal has killed it.
    Killed,
    /// It has ended, in this way.
    Ended(&'a str),
}

/// What sends a signal to a wrapped command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The terminal, which interrupts all processes in the foreground.
    Terminal,
    /// This process, which forwards the signal.
    Proxy,
}

impl Sender {
    fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Proxy => "chaos-proxy",
        }
    }
}

impl CommandEvent<'_> {
    pub(super) fn log(self) {
        match self {
            Self::Started { pid, command, ports } => info!(pid, command, ports; "command started"),
            Self::Signalled(signal, sender) => {
                info!(signal = signal.as_str(), by = sender.as_str(); "command signalled");
            }
            Self::Killed => warn!("command killed by a second signal"),
            Self::Ended(status) => info!(status; "command ended"),
        }
    }
}
