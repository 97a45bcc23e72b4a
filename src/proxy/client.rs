//! The client's end of a connection while no bytes pass: waiting as long as it is there, closing it, and finding out that it
//! has left.

use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionread;

use super::socket::discard::discard;
use super::socket::liveness::{FIRST_LOOK, LivenessProbe};
use super::socket::presence::{self, Presence};
use super::socket::wait::{Woken, wait, wait_for};
use super::state::ConnectionState;
use crate::event::CloseReason;
use crate::stop::Latch;

/// How long a peer may take to answer our FIN with its own.
pub const LINGER: Duration = Duration::from_secs(5);

/// What ended a wait for which the client stayed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Present {
    /// The time has come.
    Due,
    /// The route has changed.
    Changed,
}

impl ConnectionState {
    /// Waits until the latency of its route is over, which may change meanwhile.
    ///
    /// # Errors
    /// Why it ended earlier: the client was reset or cut, or has left and has nothing to deliver. One that has sent its FIN
    /// may still want to read, so it is only taken to have left when that is certain.
    pub fn wait_latency(&self) -> Result<(), CloseReason> {
        loop {
            let generation = self.route.generation();
            let due = self.accepted_at + generation.route.latency.duration();
            if Instant::now() >= due || self.wait_present(Some(due), &generation.replaced)? == Present::Due {
                return Ok(());
            }
        }
    }

    /// Reads and forgets what the client sends until it has left. Were nothing read, a client that leaves in the middle
    /// of sending could not get its FIN through to us.
    pub fn drain_until_gone(&self) {
        // A client that was seen here can be missed later.
        let _ = self.look();
        // What holds for the route by then changes nothing for it.
        while discard(self.client(), None) && self.wait_present(None, &self.route.generation().replaced).is_ok() {}
    }

    /// Closes the client with a FIN, even if it has sent or is sending something: closing with input unread would make a
    /// RST of it (RFC 2525, section 2.17), so what comes is read until the client has closed too.
    pub fn close_client(&self) {
        if self.client().shutdown(Shutdown::Write).is_ok() {
            discard(self.client(), Some(Instant::now() + LINGER));
        }
    }

    /// Waits until `due` or `change`, as long as the client is there.
    fn wait_present(&self, due: Option<Instant>, change: &Latch) -> Result<Present, CloseReason> {
        let mut probe = LivenessProbe::begin();
        loop {
            let wake_at = due.map_or(probe.next_look(), |due| due.min(probe.next_look()));
            let revents = match wait_for([(self.client(), probe.interest())], Some(wake_at), change) {
                Woken::Changed => return Ok(Present::Changed),
                Woken::Ready([revents]) => revents,
                Woken::Due => PollFlags::empty(),
            };
            self.check(revents)?;
            if due.is_some_and(|due| Instant::now() >= due) {
                return Ok(Present::Due);
            }
            if probe.is_due(revents) && !self.has_something_to_deliver() {
                self.look()?;
            }
        }
    }

    /// Whether the client has sent bytes that were not read yet. They are delivered, even if it does not wait for an answer.
    fn has_something_to_deliver(&self) -> bool {
        ioctl_fionread(self.client()).is_ok_and(|bytes| bytes > 0)
    }

    /// Looks whether the client is still there.
    ///
    /// # Errors
    /// It is certain that it has left.
    pub fn look(&self) -> Result<(), CloseReason> {
        match presence::of_peer(self.client()) {
            Presence::Here => self.client_was_here.store(true, Ordering::Relaxed),
            Presence::Gone => self.classify_departure()?,
            Presence::NotLocal if self.client_was_here.load(Ordering::Relaxed) => self.classify_departure()?,
            Presence::NotLocal | Presence::Unknown => {}
        }
        Ok(())
    }

    /// How a client went that is gone. In the middle of a close that resets, the kernel has let go of the socket and not
    /// yet sent the RST. And one that has our FIN as well as we have its own is gone in good order: the other direction's
    /// delay is over, and so is this one's.
    fn classify_departure(&self) -> Result<(), CloseReason> {
        let mut fds = [PollFd::new(self.client(), PollFlags::empty())];
        wait(&mut fds, Some(Instant::now() + FIRST_LOOK));
        self.check(fds[0].revents())?;
        if fds[0].revents().contains(PollFlags::HUP) { Ok(()) } else { Err(CloseReason::ClientLeft) }
    }

    /// A hang-up without an error is no reset: both sides have finished their sending, as they may while one direction's
    /// delay is over and the other's is about to be.
    ///
    /// # Errors
    /// The connection was aborted, or the client was reset, after a poll of it that returned `revents`.
    pub fn check(&self, revents: PollFlags) -> Result<(), CloseReason> {
        match self.aborted() {
            Some(why) => Err(why),
            None if revents.contains(PollFlags::ERR) => Err(CloseReason::ClientReset),
            None => Ok(()),
        }
    }
}
