//! The client side of a connection while no bytes are forwarded: waits that end when the client leaves, and closing it.

use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionread;

use super::socket::discard::discard;
use super::socket::liveness::{FIRST_PAUSE, LivenessProbe};
use super::socket::presence::{self, PeerState};
use super::socket::wait::{Woken, wait, wait_for};
use super::state::ConnectionState;
use crate::event::CloseReason;
use crate::stop::Latch;

/// How long a peer may take to answer our FIN with its own.
pub const LINGER: Duration = Duration::from_secs(5);

/// What ended a wait during which the client stayed connected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitEnd {
    /// The deadline passed.
    Due,
    /// The route was replaced.
    Changed,
}

impl ConnectionState {
    /// Waits until the route's latency has passed since the accept. The latency may change during the wait.
    ///
    /// # Errors
    /// The reason to end the wait early: the client was reset or cut, or it left without unread bytes. A half-closed
    /// client may still want to read, so a FIN alone does not count as leaving.
    pub fn wait_latency(&self) -> Result<(), CloseReason> {
        loop {
            let generation = self.route.generation();
            let due = self.accepted_at + generation.route.latency.duration();
            if Instant::now() >= due || self.wait_present(Some(due), &generation.replaced)? == WaitEnd::Due {
                return Ok(());
            }
        }
    }

    /// Reads and discards input until the client has left. If nothing were read, the FIN of a client that closes in the
    /// middle of sending would wait in its send queue and never arrive.
    pub fn drain_until_gone(&self) {
        // Records whether the client is local: only then does a later lookup that finds no socket prove that it left.
        let _ = self.check_presence();
        // A change of the route does not affect a connection that was already dropped.
        while discard(self.client(), None) && self.wait_present(None, &self.route.generation().replaced).is_ok() {}
    }

    /// Closes the client with a FIN, even if it has sent or is still sending data. Closing a socket with unread input
    /// sends a RST instead (RFC 2525, section 2.17), so the input is read until the client closes as well.
    pub fn close_client(&self) {
        if self.client().shutdown(Shutdown::Write).is_ok() {
            discard(self.client(), Some(Instant::now() + LINGER));
        }
    }

    /// Waits until `due` or `change`. Fails as soon as the client has left.
    fn wait_present(&self, due: Option<Instant>, change: &Latch) -> Result<WaitEnd, CloseReason> {
        let mut probe = LivenessProbe::begin();
        loop {
            let wake_at = due.map_or(probe.next_check(), |due| due.min(probe.next_check()));
            let revents = match wait_for([(self.client(), probe.interest())], Some(wake_at), change) {
                Woken::Changed => return Ok(WaitEnd::Changed),
                Woken::Ready([revents]) => revents,
                Woken::Due => PollFlags::empty(),
            };
            self.check(revents)?;
            // After a clean hang-up the other direction's delay is over, and every poll would end at once.
            if revents.contains(PollFlags::HUP) || due.is_some_and(|due| Instant::now() >= due) {
                return Ok(WaitEnd::Due);
            }
            if probe.is_due(revents) && !self.has_unread_bytes() {
                self.check_presence()?;
            }
        }
    }

    /// Whether the client has sent bytes that are still unread. They are delivered even if the client has left.
    fn has_unread_bytes(&self) -> bool {
        ioctl_fionread(self.client()).is_ok_and(|bytes| bytes > 0)
    }

    /// Checks whether the client still holds its socket.
    ///
    /// # Errors
    /// The client has certainly left.
    pub fn check_presence(&self) -> Result<(), CloseReason> {
        match presence::of_peer(self.client()) {
            PeerState::Open => self.client_was_local.store(true, Ordering::Relaxed),
            PeerState::Closed => self.classify_departure()?,
            PeerState::NotLocal if self.client_was_local.load(Ordering::Relaxed) => self.classify_departure()?,
            PeerState::NotLocal | PeerState::Unknown => {}
        }
        Ok(())
    }

    /// Determines how a client without a socket left. During a close that resets, the kernel detaches the socket before
    /// it sends the RST, so this waits a moment for the RST. If both FINs were exchanged, the connection closed
    /// cleanly, and that is no error: the other direction's delay is over, and this one's ends soon.
    fn classify_departure(&self) -> Result<(), CloseReason> {
        let mut fds = [PollFd::new(self.client(), PollFlags::empty())];
        wait(&mut fds, Some(Instant::now() + FIRST_PAUSE));
        self.check(fds[0].revents())?;
        if fds[0].revents().contains(PollFlags::HUP) { Ok(()) } else { Err(CloseReason::ClientLeft) }
    }

    /// Maps the result of a poll of the client to a close reason. A hang-up without an error is not a reset: it means
    /// that both FINs were exchanged, which can happen when only one direction's delay is over.
    ///
    /// # Errors
    /// The connection was aborted, or `revents` reports that the client was reset.
    pub fn check(&self, revents: PollFlags) -> Result<(), CloseReason> {
        match self.aborted() {
            Some(why) => Err(why),
            None if revents.contains(PollFlags::ERR) => Err(CloseReason::ClientReset),
            None => Ok(()),
        }
    }
}
