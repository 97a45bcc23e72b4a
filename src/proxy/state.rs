//! One connection, for every thread that has to do with it: its sockets, what it is doing, how much has passed, and why it
//! ended. Any thread can abort it. What its own threads do in turn is `connection` and `forward`.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionread;

use super::live_route::LiveRoute;
use super::socket::acknowledgement::unacknowledged;
use super::socket::discard::discard;
use super::socket::liveness::{FIRST_LOOK, LivenessProbe};
use super::socket::presence::{self, Presence};
use super::socket::reset::reset;
use super::socket::wait::wait;
use crate::event::{CloseReason, Subject};
use crate::plan::Direction;
use crate::toxic::{RunningSum, Target, ToxicSummary};

/// How long a peer may take to answer our FIN with its own.
pub const LINGER: Duration = Duration::from_secs(5);

/// A connection from its accept to its end.
#[derive(Debug)]
pub struct ConnectionState {
    pub subject: Subject,
    pub accepted_at: Instant,
    pub route: Arc<LiveRoute>,
    client: TcpStream,
    upstream: OnceLock<Arc<TcpStream>>,
    up: Progress,
    down: Progress,
    status: Mutex<Status>,
    /// What toxics have done to it so far.
    sums: Mutex<Vec<Arc<RunningSum>>>,
    /// Whether its client was seen on this machine.
    client_was_here: AtomicBool,
}

/// How far one direction has come. Each has cache lines of its own, since each is written by another thread.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Progress {
    /// The bytes that were read from the source.
    pub received: AtomicU64,
    /// The bytes that the sink's kernel has taken.
    pub sent: AtomicU64,
    /// Set before our own FIN goes out in this direction.
    pub finished: AtomicBool,
}

/// Under one lock: were they set one by one, an abort and a dial that succeeds could miss each other.
#[derive(Debug)]
struct Status {
    phase: Phase,
    close_reason: Option<CloseReason>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for the upstream to accept.
    Dialling,
    /// It waits for the route's latency to pass.
    Delayed,
    /// It was drawn to be dropped, and gets no answer.
    Held,
    /// Bytes pass in both directions.
    Forwarding,
    /// The source of this direction has finished, and bytes pass in the other one only.
    HalfClosed(Direction),
    /// A toxic has closed it, and its peers have not yet.
    Draining,
}

impl ConnectionState {
    pub fn new(subject: Subject, route: Arc<LiveRoute>, client: TcpStream, accepted_at: Instant) -> Self {
        Self {
            subject,
            accepted_at,
            route,
            client,
            upstream: OnceLock::new(),
            up: Progress::default(),
            down: Progress::default(),
            status: Mutex::new(Status { phase: Phase::Dialling, close_reason: None }),
            sums: Mutex::default(),
            client_was_here: AtomicBool::new(false),
        }
    }

    pub fn client(&self) -> &TcpStream {
        &self.client
    }

    /// What toxics know it by.
    pub fn target(&self) -> Target {
        let Subject { number, client, .. } = self.subject;
        Target { number, client: client.ip(), opened: self.route.moment(self.accepted_at) }
    }

    pub fn progress(&self, direction: Direction) -> &Progress {
        match direction {
            Direction::Upstream => &self.up,
            Direction::Downstream => &self.down,
        }
    }

    /// Gives it an upstream; from now on an abort is one of both.
    pub fn connect(&self, upstream: TcpStream) -> Arc<TcpStream> {
        let status = self.status();
        let upstream = self.upstream.get_or_init(|| Arc::new(upstream));
        if status.close_reason.is_some() {
            reset(upstream);
        }
        Arc::clone(upstream)
    }

    pub fn phase(&self) -> Phase {
        self.status().phase
    }

    pub fn enter(&self, phase: Phase) {
        self.status().phase = phase;
    }

    /// One direction forwards bytes; the other one may have come further.
    pub fn begin_forwarding(&self) {
        let mut status = self.status();
        if matches!(status.phase, Phase::Dialling | Phase::Delayed) {
            status.phase = Phase::Forwarding;
        }
    }

    /// The source of a direction has finished. The first one gives the reason if nothing else ends the connection.
    pub fn half_close(&self, direction: Direction) {
        let mut status = self.status();
        if !matches!(status.phase, Phase::HalfClosed(_) | Phase::Draining) {
            status.phase = Phase::HalfClosed(direction);
        }
    }

    /// Resets the client, and the upstream if there is one. Of several reasons the first one counts: the others follow from
    /// it.
    pub fn abort(&self, why: CloseReason) {
        let first = *self.status().close_reason.get_or_insert(why);
        reset_and_uncount(&self.client, &self.down);
        match self.upstream.get() {
            // It left with a FIN, and its upstream gets one too, after all that it has sent. That its socket is reset then
            // is our doing, and no reason for a reset there; a cut is.
            Some(upstream) if first == CloseReason::ClientLeft && why != CloseReason::Cut => {
                let _ = upstream.shutdown(Shutdown::Both);
            }
            Some(upstream) => reset_and_uncount(upstream, &self.up),
            None => {}
        }
    }

    /// It is closed in good order, unless it was aborted already.
    pub fn begin_close(&self, why: CloseReason) {
        let mut status = self.status();
        if status.close_reason.is_none() {
            *status = Status { phase: Phase::Draining, close_reason: Some(why) };
        }
    }

    /// Why it was aborted, if it was.
    pub fn aborted(&self) -> Option<CloseReason> {
        let status = self.status();
        status.close_reason.filter(|_| status.phase != Phase::Draining)
    }

    /// Why it ended, once it has.
    pub fn close_reason(&self) -> CloseReason {
        let status = self.status();
        status.close_reason.unwrap_or(match status.phase {
            Phase::HalfClosed(Direction::Upstream) => CloseReason::ClientClosed,
            Phase::HalfClosed(Direction::Downstream) => CloseReason::UpstreamClosed,
            _ => CloseReason::Cut,
        })
    }

    /// Has what these toxics do show up in `toxics`.
    pub fn watch<'a>(&self, sums: impl Iterator<Item = &'a Arc<RunningSum>>) {
        let mut watched = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        for sum in sums {
            if !watched.iter().any(|other| Arc::ptr_eq(other, sum)) {
                watched.push(Arc::clone(sum));
            }
        }
    }

    /// What each toxic that has acted came to so far.
    pub fn toxics(&self) -> Vec<ToxicSummary> {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.iter().filter_map(|sum| sum.summary()).collect()
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `due`.
    ///
    /// # Errors
    /// Why it ended earlier: the client was reset or cut, or has left and has nothing to deliver. One that has sent its FIN
    /// may still want to read, so it is only taken to have left when that is certain.
    pub fn wait_until(&self, due: Instant) -> Result<(), CloseReason> {
        self.wait_present(Some(due))
    }

    /// Reads and forgets what the client sends until it has left. Were nothing read, a client that leaves in the middle
    /// of sending could not get its FIN through to us.
    pub fn drain_until_gone(&self) {
        // A client that was seen here can be missed later.
        let _ = self.look();
        if discard(&self.client, None) {
            // It can only end when the client leaves.
            let _ = self.wait_present(None);
        }
    }

    /// Closes the client with a FIN, even if it has sent or is sending something: closing with input unread would make a
    /// RST of it (RFC 2525, section 2.17), so what comes is read until the client has closed too.
    pub fn close_client(&self) {
        if self.client.shutdown(Shutdown::Write).is_ok() {
            discard(&self.client, Some(Instant::now() + LINGER));
        }
    }

    fn wait_present(&self, due: Option<Instant>) -> Result<(), CloseReason> {
        let mut probe = LivenessProbe::begin();
        loop {
            let mut fds = [PollFd::new(&self.client, probe.interest())];
            wait(&mut fds, due.map_or(Some(probe.next_look()), |due| Some(due.min(probe.next_look()))));
            self.check(fds[0].revents())?;
            if due.is_some_and(|due| Instant::now() >= due) {
                return Ok(());
            }
            if probe.is_due(fds[0].revents()) && !self.has_something_to_deliver() {
                self.look()?;
            }
        }
    }

    /// Whether the client has sent bytes that were not read yet. They are delivered, even if it does not wait for an answer.
    fn has_something_to_deliver(&self) -> bool {
        ioctl_fionread(&self.client).is_ok_and(|bytes| bytes > 0)
    }

    /// Looks whether the client is still there.
    ///
    /// # Errors
    /// It is certain that it has left.
    pub fn look(&self) -> Result<(), CloseReason> {
        match presence::of_peer(&self.client) {
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
        let mut fds = [PollFd::new(&self.client, PollFlags::empty())];
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

/// A reset discards what the kernel has taken from us and not delivered yet: the peer never gets it.
fn reset_and_uncount(peer: &TcpStream, progress: &Progress) {
    let sent = progress.sent.load(Ordering::Relaxed);
    if sent > 0
        && let lost = unacknowledged(peer)
        && lost < u32::MAX
    {
        progress.sent.fetch_sub(sent.min(lost.into()), Ordering::Relaxed);
    }
    reset(peer);
}
