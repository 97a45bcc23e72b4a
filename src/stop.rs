//! How a run ends: the first stop request starts the drain, the second cuts the remaining connections. This module
//! holds the state and what can wait for it. `signals` turns Unix signals into stop requests.

use std::convert::Infallible;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_channel::{Receiver, Sender};

/// A signal that requests the end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, `kill`.
    Terminate,
}

impl Signal {
    /// Its number, the same on every system (signal(7)).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// The stop state of a run: one latch for the drain and one for the cut.
#[derive(Debug)]
pub struct Stop {
    draining: Latch,
    cut: Latch,
    cut_by: OnceLock<Signal>,
}

impl Stop {
    /// # Errors
    /// No descriptors are left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { draining: Latch::new()?, cut: Latch::new()?, cut_by: OnceLock::new() })
    }

    /// Records a stop request: the first starts the drain, the second triggers the cut.
    pub fn request(&self, signal: Signal) {
        if self.draining.trigger() == Trigger::First {
            return;
        }
        // A third request leaves the signal of the second in place.
        let _ = self.cut_by.set(signal);
        self.cut.trigger();
    }

    /// Triggered when listeners must stop accepting.
    #[must_use]
    pub fn draining(&self) -> &Latch {
        &self.draining
    }

    /// Triggered when live connections must end at once.
    #[must_use]
    pub fn cut(&self) -> &Latch {
        &self.cut
    }

    /// The signal that cut the drain short, if one did.
    #[must_use]
    pub fn cut_by(&self) -> Option<Signal> {
        self.cut_by.get().copied()
    }
}

/// Whether a call of [`Latch::trigger`] changed the latch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The latch was not triggered before.
    First,
    /// The latch was already triggered.
    Again,
}

/// An event that happens once and wakes every waiter. `poll(2)` sees a hang-up on its descriptor, `select!` sees its
/// channel disconnect. Nothing is ever sent: a hang-up and a disconnect reach all waiters, a message would reach one.
#[derive(Debug)]
pub struct Latch {
    triggered: AtomicBool,
    senders: Mutex<Option<(PipeWriter, Sender<Infallible>)>>,
    pipe: PipeReader,
    channel: Receiver<Infallible>,
}

impl Latch {
    /// # Errors
    /// No descriptors are left.
    pub fn new() -> io::Result<Self> {
        let (pipe, writer) = io::pipe()?;
        let (sender, channel) = crossbeam_channel::bounded(0);
        Ok(Self { triggered: AtomicBool::new(false), senders: Mutex::new(Some((writer, sender))), pipe, channel })
    }

    /// Wakes all waiters, present and future.
    pub fn trigger(&self) -> Trigger {
        let was_triggered = self.triggered.swap(true, Ordering::SeqCst);
        drop(self.senders.lock().unwrap_or_else(PoisonError::into_inner).take());
        if was_triggered { Trigger::Again } else { Trigger::First }
    }

    /// Whether the latch has been triggered.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.triggered.load(Ordering::SeqCst)
    }

    /// The channel that disconnects when the latch is triggered.
    #[must_use]
    pub fn channel(&self) -> &Receiver<Infallible> {
        &self.channel
    }
}

impl AsFd for Latch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_request_drains_and_second_cuts() {
        let stop = Stop::new().expect("descriptors");
        stop.request(Signal::Interrupt);
        assert!(stop.draining().is_triggered() && !stop.cut().is_triggered());
        assert_eq!(stop.cut_by(), None);
        stop.request(Signal::Terminate);
        stop.request(Signal::Interrupt);
        assert!(stop.cut().is_triggered());
        assert_eq!(stop.cut_by(), Some(Signal::Terminate));
    }

    #[test]
    fn trigger_wakes_channel_and_poll() {
        use rustix::event::{PollFd, PollFlags, poll};
        let latch = Latch::new().expect("descriptors");
        std::thread::scope(|scope| {
            let channel = scope.spawn(|| latch.channel().recv().is_err());
            let poll = scope.spawn(|| poll(&mut [PollFd::new(&latch, PollFlags::IN)], None));
            assert_eq!(latch.trigger(), Trigger::First);
            assert!(channel.join().expect("no panic"));
            assert_eq!(poll.join().expect("no panic"), Ok(1));
        });
        assert_eq!(latch.trigger(), Trigger::Again);
    }
}
