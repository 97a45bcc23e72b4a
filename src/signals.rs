//! SIGINT and SIGTERM become requests to [`Stop`]. SIGHUP keeps its default: the terminal is gone, and so is the process.

use std::io;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal as Unix};

use crate::stop::{Signal, Stop};
use crate::threads;

/// Takes both signals from here on. To be called before any other thread is there: a thread inherits the mask that keeps
/// SIGTERM pending for the one that waits for it, and one without the mask would die of it.
///
/// # Errors
/// A handler can't be set or no thread can be had.
pub fn install(stop: &Arc<Stop>) -> io::Result<()> {
    let terminate = SigSet::from(Unix::SIGTERM);
    terminate.thread_block()?;
    let stop_by_term = Arc::clone(stop);
    threads::spawn("sigterm", move || {
        // sigwait(3) fails for an invalid set only, and this one is fixed.
        while terminate.wait().is_ok() {
            stop_by_term.request(Signal::Terminate);
        }
    })?;
    // ctrlc with its `termination` feature takes SIGTERM too, but does not tell which one came, and the exit code must.
    let stop_by_int = Arc::clone(stop);
    ctrlc::set_handler(move || stop_by_int.request(Signal::Interrupt)).map_err(io::Error::other)
}
