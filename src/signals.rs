//! Turns SIGINT and SIGTERM into stop requests to [`Stop`], and SIGHUP and SIGTSTP into calls of a function. Without a
//! [`HangUp`], SIGHUP keeps its default action, which ends the process with its terminal.

use std::io;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal as Unix, raise};

use crate::stop::{Signal, Stop};
use crate::threads;

/// Installs the handlers of both signals. Call it before any other thread starts: threads inherit the signal mask, and
/// SIGTERM would end the process if one thread had it unblocked (signal(7)).
///
/// # Errors
/// A handler can't be set, or a thread can't be spawned.
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
    // ctrlc handles SIGTERM too with its `termination` feature, but does not report which signal arrived, and the exit
    // code depends on it.
    let stop_by_int = Arc::clone(stop);
    ctrlc::set_handler(move || stop_by_int.request(Signal::Interrupt)).map_err(io::Error::other)
}

/// SIGHUP, kept from ending the process. It waits until it is handled.
#[derive(Debug)]
pub struct HangUp(SigSet);

impl HangUp {
    /// Keeps SIGHUP from ending the process. Call it before any other thread starts, as [`install`].
    ///
    /// # Errors
    /// The signal mask can't be changed.
    pub fn block() -> io::Result<Self> {
        let hang_up = SigSet::from(Unix::SIGHUP);
        hang_up.thread_block()?;
        Ok(Self(hang_up))
    }

    /// Calls `work` after each SIGHUP, on a thread of its own, until the process ends. Signals that arrive during the
    /// call lead to one more.
    ///
    /// # Errors
    /// No thread is available.
    pub fn handle(self, work: impl Fn() + Send + 'static) -> io::Result<()> {
        threads::spawn("sighup", move || {
            // sigwait(3) fails for an invalid set only, and this one is fixed.
            while self.0.wait().is_ok() {
                work();
            }
        })
    }
}

/// SIGTSTP (Ctrl-Z), which waits until it is handled.
#[derive(Debug)]
pub struct Suspension(SigSet);

impl Suspension {
    /// Call it before any other thread starts, as [`install`].
    ///
    /// # Errors
    /// The signal mask can't be changed.
    pub fn block() -> io::Result<Self> {
        let suspend = SigSet::from(Unix::SIGTSTP);
        suspend.thread_block()?;
        Ok(Self(suspend))
    }

    /// Before each suspension, calls `prepare` on a thread of its own.
    ///
    /// # Errors
    /// No thread is available.
    pub fn handle(self, prepare: impl Fn() + Send + 'static) -> io::Result<()> {
        threads::spawn("sigtstp", move || {
            // sigwait(3) fails for an invalid set only, and this one is fixed.
            while self.0.wait().is_ok() {
                prepare();
                self.suspend();
            }
        })
    }

    /// Takes the default action, which suspends the process unless nothing could continue it (an orphaned process group).
    /// Only this thread has the signal unblocked.
    fn suspend(&self) {
        // Both calls fail for an invalid signal only.
        let _ = self.0.thread_unblock();
        let _ = raise(Unix::SIGTSTP);
        let _ = self.0.thread_block();
    }
}
