//! Turns SIGINT, SIGTERM, SIGHUP and SIGTSTP into calls of functions. Without a [`HangUp`], SIGHUP keeps its default action,
//! which ends the process with its terminal.

use std::io;

use nix::sys::signal::{SigSet, Signal as Unix, raise};

use crate::stop::Signal;
use crate::threads;

/// Calls `received` after each SIGINT and SIGTERM, until the process ends. Call it before any other thread starts: threads
/// inherit the signal mask, and SIGTERM would end the process if one thread had it unblocked (signal(7)).
///
/// # Errors
/// A handler can't be set, or a thread can't be spawned.
pub fn install(received: impl Fn(Signal) + Clone + Send + 'static) -> io::Result<()> {
    let terminate = SigSet::from(Unix::SIGTERM);
    terminate.thread_block()?;
    let terminated = received.clone();
    threads::spawn("sigterm", move || {
        // sigwait(3) fails for an invalid set only, and this one is fixed.
        while terminate.wait().is_ok() {
            terminated(Signal::Terminate);
        }
    })?;
    // ctrlc handles SIGTERM too with its `termination` feature, but does not report which signal arrived, and the exit
    // code depends on it.
    ctrlc::set_handler(move || received(Signal::Interrupt)).map_err(io::Error::other)
}

/// Leaves SIGQUIT to a command that runs in the same terminal, as system(3) does: it may print its state at Ctrl-\ and go
/// on. Call it before any other thread starts, as [`install`].
///
/// # Errors
/// The signal mask can't be changed.
pub fn block_quit() -> io::Result<()> {
    Ok(SigSet::from(Unix::SIGQUIT).thread_block()?)
}

/// Unblocks the signals that this module blocks, in a process that has inherited its signal mask.
///
/// # Errors
/// The signal mask can't be changed.
pub fn unblock() -> io::Result<()> {
    Ok(SigSet::from_iter([Unix::SIGTERM, Unix::SIGQUIT, Unix::SIGHUP, Unix::SIGTSTP]).thread_unblock()?)
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
