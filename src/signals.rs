//! Turns SIGINT, SIGTERM, SIGHUP and SIGTSTP into calls of functions. Without a [`HangUp`], SIGHUP keeps its default action,
//! which ends the process with its terminal.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Unix, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

use crate::stop::Signal;
use crate::threads;

/// The time within which a signal that arrives again is the same one. timeout(1) signals its command and then the process
/// group of both, so the command gets two signals within microseconds. A person needs longer for a second Ctrl-C.
const SAME_SIGNAL: Duration = Duration::from_millis(50);

/// Calls `received` after each SIGINT and SIGTERM, until the process ends. Call it before any other thread starts: threads
/// inherit the signal mask, and SIGTERM would end the process if one thread had it unblocked (signal(7)).
///
/// # Errors
/// A handler can't be set, or a thread can't be spawned.
pub fn install(received: impl Fn(Signal) + Clone + Send + 'static) -> io::Result<()> {
    let terminate = SigSet::from(Unix::SIGTERM);
    terminate.thread_block()?;
    let mut terminated = without_copies(Instant::now, received.clone());
    threads::spawn("sigterm", move || {
        // sigwait(3) fails for an invalid set only, and this one is fixed.
        while terminate.wait().is_ok() {
            terminated(Signal::Terminate);
        }
    })?;
    // ctrlc handles SIGTERM too with its `termination` feature, but does not report which signal arrived, and the exit
    // code depends on it.
    let mut interrupted = without_copies(Instant::now, received);
    ctrlc::set_handler(move || interrupted(Signal::Interrupt)).map_err(io::Error::other)
}

/// What has sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The terminal, which sends it to all processes of its foreground process group.
    Terminal,
    /// A process.
    Process,
}

impl Source {
    fn of(arrival: &siginfo) -> Self {
        // SI_KERNEL of sigaction(2). A process can't set it.
        if arrival.ssi_code == 0x80 { Self::Terminal } else { Self::Process }
    }
}

/// [`install`] for a process that forwards signals to a command, and has to know which of them the command has already.
/// ctrlc doesn't report what has sent a signal. SIGQUIT is left to the command, as by system(3): at Ctrl-\ it may print its
/// state and go on.
///
/// # Errors
/// The signal mask can't be changed, or no descriptor or thread is available.
pub fn install_forwarding(received: impl Fn(Signal, Source) + Clone + Send + 'static) -> io::Result<()> {
    let requests = SigSet::from_iter([Unix::SIGINT, Unix::SIGTERM]);
    requests.thread_block()?;
    SigSet::from(Unix::SIGQUIT).thread_block()?;
    // It never runs. In a background job of a script SIGINT is ignored, and execve(2) would keep that for the command.
    ctrlc::set_handler(|| ()).map_err(io::Error::other)?;
    let arrivals = SignalFd::with_flags(&requests, SfdFlags::SFD_CLOEXEC)?;
    let again = received.clone();
    let mut interrupted = without_copies(Instant::now, move |source| received(Signal::Interrupt, source));
    let mut terminated = without_copies(Instant::now, move |source| again(Signal::Terminate, source));
    threads::spawn("signals", move || {
        while let Some(arrival) = next(&arrivals) {
            let is_interrupt = arrival.ssi_signo == Unix::SIGINT as u32;
            if is_interrupt { interrupted(Source::of(&arrival)) } else { terminated(Source::of(&arrival)) }
        }
    })
}

/// Waits for a signal. None is never returned in practice: read(2) fails for an invalid descriptor only.
fn next(arrivals: &SignalFd) -> Option<siginfo> {
    loop {
        match arrivals.read_signal() {
            Err(Errno::EINTR) => {}
            arrival => return arrival.ok().flatten(),
        }
    }
}

/// Calls `received`, unless the signal is a copy of the last one.
fn without_copies<A>(now: impl Fn() -> Instant, received: impl Fn(A)) -> impl FnMut(A) {
    let mut last: Option<Instant> = None;
    move |arrival| {
        let now = now();
        if last.is_none_or(|last| now.duration_since(last) >= SAME_SIGNAL) {
            last = Some(now);
            received(arrival);
        }
    }
}

/// Unblocks the signals that this module blocks, in a process that has inherited its signal mask.
///
/// # Errors
/// The signal mask can't be changed.
pub fn unblock() -> io::Result<()> {
    Ok(SigSet::from_iter([Unix::SIGINT, Unix::SIGTERM, Unix::SIGQUIT, Unix::SIGHUP, Unix::SIGTSTP]).thread_unblock()?)
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_signal_that_arrives_again_at_once_is_a_copy() {
        let (now, count) = (Cell::new(Instant::now()), Cell::new(0));
        let mut arrives = without_copies(|| now.get(), |()| count.set(count.get() + 1));
        // Copies don't extend the time: a key that is held down repeats about every 30 ms.
        for (wait, expected) in [(0, 1), (1, 1), (30, 1), (30, 2), (49, 2), (1, 3)] {
            now.set(now.get() + Duration::from_millis(wait));
            arrives(());
            assert_eq!(count.get(), expected);
        }
    }
}
