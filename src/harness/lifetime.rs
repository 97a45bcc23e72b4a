//! How long a run lasts: until a signal, or as long as a command.

use std::io;
use std::sync::Arc;

use super::argv::Argv;
use super::exec::DescriptorLimit;
use super::wrapped::Wrapped;
use crate::signals;
use crate::stop::Stop;

/// How long a run lasts.
#[derive(Debug)]
pub enum Lifetime {
    /// Until a signal arrives.
    UntilSignal,
    /// As long as a command.
    OfCommand(Wrapped),
}

impl Lifetime {
    /// Installs the handlers of signals. Call it before any other thread starts. `limit` and the admin server's `token` are
    /// for the command.
    ///
    /// # Errors
    /// A handler can't be set, or a thread can't be spawned.
    pub fn new(
        command: Option<Argv>,
        limit: DescriptorLimit,
        token: Option<String>,
        stop: &Arc<Stop>,
    ) -> io::Result<Self> {
        if let Some(argv) = command {
            return Wrapped::new(argv, limit, token, stop).map(Self::OfCommand);
        }
        let stop = Arc::clone(stop);
        signals::install(move |signal, _| stop.request(signal))?;
        Ok(Self::UntilSignal)
    }
}
