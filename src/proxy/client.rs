//! The client's end of a connection, from the accept on: it can be waited on, answered with silence, and cut by another
//! thread. What happens once there is an upstream is `pump`.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::presence::{self, Presence};
use super::reset::reset;
use super::wait::wait;
use crate::event::End;

/// The first and the longest pause between two looks at whether a client that has sent its FIN is still there. The first
/// is short, since close(2) sends the FIN a moment before the socket counts as closed.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a client may take to answer our FIN with its own.
const LINGER: Duration = Duration::from_secs(5);

/// An accepted connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    ended: OnceLock<End>,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time has come.
    Due,
    /// The other descriptor has something to tell.
    Ready,
    /// The client has left or was cut: why.
    Left(End),
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, ended: OnceLock::new() }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Resets the client. Of several reasons the first is the true one: the others follow from it.
    pub fn abort(&self, why: End) {
        let _ = self.ended.set(why);
        reset(&self.stream);
    }

    /// Why it was aborted, if it was.
    pub fn aborted(&self) -> Option<End> {
        self.ended.get().copied()
    }

    /// Waits until `due`, unless the client leaves first.
    pub fn wait_until(&self, due: Instant) -> Woken {
        self.wait_beside(None, Some(due))
    }

    /// Waits for `other`, at most until `due`, unless the client leaves first. A client that has sent its FIN may still
    /// want to read, so it is only taken to have left when that is certain.
    pub fn wait_for(&self, other: PollFd<'_>, due: Instant) -> Woken {
        self.wait_beside(Some(other), Some(due))
    }

    /// Reads and forgets what the client sends until it has left. Were nothing read, a client that leaves in the middle
    /// of sending could not get its FIN through to us.
    pub fn outwait(&self) {
        if self.discard(None) {
            self.wait_beside(None, None);
        }
    }

    /// Ends the connection with a FIN, also where the client has sent or is sending something: closing with input
    /// unread would make a RST of it (RFC 2525, section 2.17), so what comes is read until the client has closed too.
    pub fn close(&self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            self.discard(Some(Instant::now() + LINGER));
        }
    }

    /// Reads until the client's FIN, and returns whether it came before `due`.
    fn discard(&self, due: Option<Instant>) -> bool {
        let mut scrap = [0; 4096];
        loop {
            let mut readable = [PollFd::new(&self.stream, PollFlags::IN)];
            wait(&mut readable, due);
            if readable[0].revents().is_empty() {
                return false;
            }
            match (&self.stream).read(&mut scrap) {
                Ok(0) => return true,
                Ok(_) if due.is_none_or(|due| Instant::now() < due) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return false,
            }
        }
    }

    fn wait_beside(&self, other: Option<PollFd<'_>>, due: Option<Instant>) -> Woken {
        let mut fds = vec![PollFd::new(&self.stream, PollFlags::RDHUP)];
        fds.extend(other);
        let mut pause = FIRST_LOOK;
        let mut look = None;
        loop {
            wait(&mut fds, [due, look].into_iter().flatten().min());
            let told = fds[0].revents();
            if told.intersects(PollFlags::ERR | PollFlags::HUP) {
                return Woken::Left(self.aborted().unwrap_or(End::ClientReset));
            }
            if fds.get(1).is_some_and(|other| !other.revents().is_empty()) {
                return Woken::Ready;
            }
            if due.is_some_and(|due| Instant::now() >= due) {
                return Woken::Due;
            }
            // From here on: the client has sent its FIN, now or earlier.
            if has_left(presence::of_peer(&self.stream), due) {
                return Woken::Left(End::ClientLeft);
            }
            fds[0] = PollFd::new(&self.stream, PollFlags::empty());
            look = Some(Instant::now() + pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Where it can't be known, a half-closed client gets the benefit of the doubt as long as the doubt has an end.
fn has_left(presence: Presence, due: Option<Instant>) -> bool {
    match presence {
        Presence::Gone => true,
        Presence::Here => false,
        Presence::Unknown => due.is_none(),
    }
}
