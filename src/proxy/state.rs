//! The client's end of a connection, from the accept on: it can be waited on, answered with silence, and cut by another
//! thread. What happens once there is an upstream is `pump`.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::event::CloseReason;
use crate::proxy::socket::discard::discard;
use crate::proxy::socket::liveness::{FIRST_LOOK, LivenessProbe};
use crate::proxy::socket::presence::{self, Presence};
use crate::proxy::socket::reset::reset;
use crate::proxy::socket::wait::wait;

/// How long a peer may take to answer our FIN with its own.
pub const LINGER: Duration = Duration::from_secs(5);

/// An accepted connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    leash: Mutex<Leash>,
    /// Whether it was seen on this machine.
    was_here: AtomicBool,
}

/// What an abort has to know. Under one lock: were they set one by one, an abort and a join at the same time could miss
/// each other.
#[derive(Debug, Default)]
struct Leash {
    aborted: Option<CloseReason>,
    upstream: Option<Arc<TcpStream>>,
}

/// What ended a wait for another descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// It has something to tell.
    Ready,
    /// The time was up.
    Due,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, leash: Mutex::default(), was_here: AtomicBool::new(false) }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Resets the client, and the upstream that it is joined to. Of several reasons the first is the true one: the others
    /// follow from it.
    pub fn abort(&self, why: CloseReason) {
        let (first, upstream) = {
            let mut leash = self.leash();
            (*leash.aborted.get_or_insert(why), leash.upstream.clone())
        };
        reset(&self.stream);
        match upstream {
            // It left with a FIN, and its upstream gets one too, behind all that it has sent. That its socket is reset then
            // is our doing, and no reason for a reset there; a cut is.
            Some(upstream) if first == CloseReason::ClientLeft && why != CloseReason::Cut => {
                drop(upstream.shutdown(Shutdown::Both));
            }
            Some(upstream) => reset(&upstream),
            None => {}
        }
    }

    /// From now on an abort is one of both.
    pub fn join(&self, upstream: Arc<TcpStream>) {
        let mut leash = self.leash();
        if leash.aborted.is_some() {
            reset(&upstream);
        }
        leash.upstream = Some(upstream);
    }

    /// Why it was aborted, if it was.
    pub fn aborted(&self) -> Option<CloseReason> {
        self.leash().aborted
    }

    fn leash(&self) -> MutexGuard<'_, Leash> {
        self.leash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `due`.
    ///
    /// # Errors
    /// Why it ended earlier: the client has left or was cut. One that has sent its FIN may still want to read, so it is
    /// only taken to have left when that is certain.
    pub fn wait_until(&self, due: Instant) -> Result<(), CloseReason> {
        self.wait_present(Some(due))
    }

    /// Waits for `other`, at most until `due`.
    ///
    /// # Errors
    /// The client was reset or cut. A FIN is no reason to stop: whoever sends something and closes wants it delivered.
    pub fn wait_for(&self, other: PollFd<'_>, due: Instant) -> Result<Woken, CloseReason> {
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty()), other];
        wait(&mut fds, Some(due));
        self.check(fds[0].revents())?;
        Ok(if fds[1].revents().is_empty() { Woken::Due } else { Woken::Ready })
    }

    /// Reads and forgets what the client sends until it has left. Were nothing read, a client that leaves in the middle
    /// of sending could not get its FIN through to us.
    pub fn drain_until_gone(&self) {
        // Who has been seen to be here can be missed later.
        let _ = self.look();
        if discard(&self.stream, None) {
            // It can only end by the client's leaving.
            let _ = self.wait_present(None);
        }
    }

    /// Ends the connection with a FIN, also where the client has sent or is sending something: closing with input
    /// unread would make a RST of it (RFC 2525, section 2.17), so what comes is read until the client has closed too.
    pub fn close(&self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            discard(&self.stream, Some(Instant::now() + LINGER));
        }
    }

    fn wait_present(&self, due: Option<Instant>) -> Result<(), CloseReason> {
        let mut probe = LivenessProbe::begin();
        loop {
            let mut fds = [PollFd::new(&self.stream, probe.interest())];
            wait(&mut fds, due.map_or(Some(probe.next_look()), |due| Some(due.min(probe.next_look()))));
            self.check(fds[0].revents())?;
            if due.is_some_and(|due| Instant::now() >= due) {
                return Ok(());
            }
            if probe.is_due(fds[0].revents()) {
                self.look()?;
            }
        }
    }

    /// Looks whether it is still there.
    ///
    /// # Errors
    /// It is certain that it has left.
    pub fn look(&self) -> Result<(), CloseReason> {
        match presence::of_peer(&self.stream) {
            Presence::Here => self.was_here.store(true, Ordering::Relaxed),
            Presence::Gone => self.classify_departure()?,
            Presence::NotLocal if self.was_here.load(Ordering::Relaxed) => self.classify_departure()?,
            Presence::NotLocal | Presence::Unknown => {}
        }
        Ok(())
    }

    /// How a client went that is gone. In the middle of a close that resets, the kernel has let go of the socket and not
    /// yet sent the RST. And one that has our FIN as well as we have its own is gone in good order: the other direction's
    /// delay is over, and so is this one's.
    fn classify_departure(&self) -> Result<(), CloseReason> {
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty())];
        wait(&mut fds, Some(Instant::now() + FIRST_LOOK));
        self.check(fds[0].revents())?;
        if fds[0].revents().contains(PollFlags::HUP) { Ok(()) } else { Err(CloseReason::ClientLeft) }
    }

    /// A hang-up without an error is no reset: both sides have finished their sending, as they may while one direction's
    /// delay is over and the other's is about to be.
    fn check(&self, told: PollFlags) -> Result<(), CloseReason> {
        match self.aborted() {
            Some(why) => Err(why),
            None if told.contains(PollFlags::ERR) => Err(CloseReason::ClientReset),
            None => Ok(()),
        }
    }
}
