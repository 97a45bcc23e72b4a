//! How a run ends: the first request to stop begins the drain, the second cuts what is left. Here is the state and what
//! waits for it; where the requests come from is `signals`.

use std::convert::Infallible;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_channel::{Receiver, Sender};

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, `kill`.
    Terminate,
}

/// The two moments that end a run.
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

    /// Takes one more request to stop.
    pub fn request(&self, signal: Signal) {
        if self.draining.trigger() == Trigger::First {
            return;
        }
        // A third request finds the first of the two that mattered already there.
        let _ = self.cut_by.set(signal);
        self.cut.trigger();
    }

    /// Rings when no new connection is to be taken.
    #[must_use]
    pub fn draining(&self) -> &Latch {
        &self.draining
    }

    /// Rings when live connections are to end at once.
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

/// Whether a ring was the one that mattered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// It was silent until now.
    First,
    /// It has rung before.
    Again,
}

/// Something that happens once, and wakes whoever waits for it: in `poll(2)`, where its descriptor hangs up; in a
/// `select!`, where its channel disconnects. Nothing is ever sent: the one end is dropped, and all who hold the other see it.
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

    /// Wakes everyone.
    pub fn trigger(&self) -> Trigger {
        let was_triggered = self.triggered.swap(true, Ordering::SeqCst);
        drop(self.senders.lock().unwrap_or_else(PoisonError::into_inner).take());
        if was_triggered { Trigger::Again } else { Trigger::First }
    }

    /// Whether it has rung.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.triggered.load(Ordering::SeqCst)
    }

    /// The channel that disconnects when it rings.
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
    fn the_first_request_drains_and_the_second_cuts() {
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
    fn ringing_wakes_a_channel_and_a_poll() {
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
