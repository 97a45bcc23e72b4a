//! Turns SIGINT, SIGTERM, SIGHUP and SIGTSTP into calls of functions. Without a [`HangUp`], SIGHUP keeps its default action,
//! which ends the process with its terminal.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Unix, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

use crate::stop::Signal;
use crate::threads;

/// The time within which a process that sends a signal again sends a copy: timeout(1) signals its command and then the process
/// group of both. These two are microseconds apart, or as long as a busy machine keeps timeout(1) waiting in between.
const COPIES: Duration = Duration::from_millis(500);

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

/// Calls `received` after each SIGINT and SIGTERM, until the process ends. Call it before any other thread starts: threads
/// inherit the signal mask, and both signals would end the process if one thread had them unblocked (signal(7)).
///
/// # Errors
/// A handler can't be set, or no descriptor or thread is available.
pub fn install(received: impl Fn(Signal, Source) + Send + 'static) -> io::Result<()> {
    let requests = SigSet::from_iter([Unix::SIGINT, Unix::SIGTERM]);
    requests.thread_block()?;
    // It never runs, since the signal is blocked, and ctrlc does not report what has sent it. In a background job of a
    // script SIGINT is ignored, and only a handler keeps execve(2) from ignoring it in a wrapped command.
    ctrlc::set_handler(|| ()).map_err(io::Error::other)?;
    let arrivals = SignalFd::with_flags(&requests, SfdFlags::SFD_CLOEXEC)?;
    threads::spawn("signals", move || {
        let mut copies = Copies::default();
        while let Some((signal, source)) = next(&arrivals) {
            if !copies.include(signal, source, Instant::now()) {
                received(signal, source);
            }
        }
    })
}

/// Waits for a signal. Returns none if read(2) fails, which it does for an invalid descriptor only.
fn next(arrivals: &SignalFd) -> Option<(Signal, Source)> {
    loop {
        match arrivals.read_signal() {
            Ok(Some(it)) if it.ssi_signo == Unix::SIGINT as u32 => return Some((Signal::Interrupt, Source::of(&it))),
            Ok(Some(it)) => return Some((Signal::Terminate, Source::of(&it))),
            Err(Errno::EINTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Recognises copies of signals.
#[derive(Default)]
struct Copies {
    interrupted: Option<Instant>,
    terminated: Option<Instant>,
}

impl Copies {
    /// Whether this signal is a copy. A terminal sends none: each Ctrl-C counts.
    fn include(&mut self, signal: Signal, source: Source, now: Instant) -> bool {
        let last = match signal {
            Signal::Interrupt => &mut self.interrupted,
            Signal::Terminate => &mut self.terminated,
        };
        let is_again = last.is_some_and(|last| now.duration_since(last) < COPIES);
        if !is_again {
            *last = Some(now);
        }
        is_again && source == Source::Process
    }
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
    use super::*;

    #[test]
    fn a_signal_that_a_process_sends_again_at_once_is_a_copy() {
        let (mut copies, mut now) = (Copies::default(), Instant::now());
        for (wait, signal, source, expected) in [
            (0, Signal::Terminate, Source::Process, false),
            (1, Signal::Terminate, Source::Process, true),
            (1, Signal::Interrupt, Source::Process, false),
            (1, Signal::Interrupt, Source::Process, true),
            (1, Signal::Interrupt, Source::Terminal, false),
            // Copies don't extend the time.
            (495, Signal::Terminate, Source::Process, true),
            (1, Signal::Terminate, Source::Process, false),
        ] {
            now += Duration::from_millis(wait);
            assert_eq!(copies.include(signal, source, now), expected, "{wait} {signal:?} {source:?}");
        }
    }
}
