//! The listener of one route: binds the port, accepts connections on its own thread until the route stops, then empties
//! its backlog.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};

use super::admission::{ConnectionLimit, Permit};
use super::connection::Accepted;
use super::live_route::LiveRoute;
use super::shared::Shared;
use super::socket::interception::{canonical, original_destination, set_transparent};
use super::socket::options::set_options;
use super::socket::wait::wait;
use super::state::ConnectionState;
use crate::event::{CloseReason, Event, NotRedirected, Subject, emit};
use crate::plan::{Route, Transparency};
use crate::stop::Latch;

/// The length of the kernel's accept queue. The kernel caps it at net.core.somaxconn, which defaults to the same value.
/// std asks for 128, which overflows under a burst of a thousand connections.
const BACKLOG: i32 = 4096;

/// The pause between attempts to accept while descriptors or memory run short. Without it the loop would spin, since
/// poll(2) keeps reporting the socket as readable.
const PAUSE: Duration = Duration::from_millis(50);

/// A shortage is over when no accept has failed for this long.
const RECOVERY: Duration = Duration::from_secs(1);

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    route: Arc<LiveRoute>,
    socket: TcpListener,
    stop: Arc<ListenerStop>,
    connection_limit: Arc<ConnectionLimit>,
    shortage: Option<Shortage>,
}

/// Stops a listener from another thread.
#[derive(Debug)]
pub struct ListenerStop {
    latch: Latch,
    /// Set before the latch is triggered.
    backlog: OnceLock<BacklogEnd>,
}

/// What becomes of the connections in the backlog of a listener that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BacklogEnd {
    /// They are served.
    Served,
    /// They are reset, as those of a service that goes down.
    Reset,
}

impl ListenerStop {
    fn new() -> io::Result<Self> {
        Ok(Self { latch: Latch::new()?, backlog: OnceLock::new() })
    }

    /// Closes the port. Only the first call decides on the backlog.
    pub fn request(&self, backlog: BacklogEnd) {
        let _ = self.backlog.set(backlog);
        self.latch.trigger();
    }
}

/// A period in which accepts fail for lack of descriptors, memory or threads.
#[derive(Debug)]
struct Shortage {
    since: Instant,
    latest: Instant,
}

impl Listener {
    pub fn bind(listen: SocketAddr, route: Arc<LiveRoute>, connection_limit: Arc<ConnectionLimit>) -> io::Result<Self> {
        let socket = crate::listen::bind(listen)?;
        if route.generation().route.transparency == Transparency::Transparent {
            set_transparent(&socket)?;
        }
        rustix::net::listen(&socket, BACKLOG)?;
        socket.set_nonblocking(true)?;
        // For the sockets that it accepts.
        set_options(&socket)?;
        Ok(Self { route, socket, stop: Arc::new(ListenerStop::new()?), connection_limit, shortage: None })
    }

    pub fn live(&self) -> &Arc<LiveRoute> {
        &self.route
    }

    pub fn stop(&self) -> &Arc<ListenerStop> {
        &self.stop
    }

    pub fn connection_limit(&self) -> &Arc<ConnectionLimit> {
        &self.connection_limit
    }

    pub fn route(&self) -> Arc<Route> {
        Arc::clone(&self.route.generation().route)
    }

    /// Accepts connections until the route stops, then empties the backlog. `open` is dropped when the port is closed.
    pub fn run(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        while self.wait_for_client() {
            let Some(permit) = self.permit() else { break };
            match self.accept(shared).and_then(|accepted| accepted.admit(permit)) {
                Ok(()) => self.report_recovery(),
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    self.note_shortage(&error);
                    pause(&self.stop.latch);
                }
            }
        }
        match self.stop.backlog.get() {
            // In this order: `open` must not be dropped before the port is closed.
            Some(BacklogEnd::Reset) => drop((self.socket, open)),
            Some(BacklogEnd::Served) | None => self.empty_backlog(shared, open),
        }
    }

    /// Waits for a client. Returns false once the route has stopped.
    fn wait_for_client(&self) -> bool {
        wait(&mut [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.stop.latch, PollFlags::IN)], None);
        !self.stop.latch.is_triggered()
    }

    /// Acquires a permit before the accept, so that excess connections wait in the kernel's backlog instead of using
    /// descriptors.
    fn permit(&self) -> Option<Permit> {
        self.connection_limit.try_acquire().or_else(|| {
            if self.connection_limit.first_shortage() {
                emit(&Event::Full(&self.route(), self.connection_limit.capacity()));
            }
            self.connection_limit.acquire(self.stop.latch.channel())
        })
    }

    /// Accepts a connection and registers it.
    ///
    /// # Errors
    /// Errors of a single client, or a shortage that may pass. Neither ends the listener.
    fn accept(&mut self, shared: &Arc<Shared>) -> io::Result<Accepted> {
        let (stream, addr) = self.socket.accept()?;
        let accepted_at = Instant::now();
        // On BSD and macOS an accepted socket inherits O_NONBLOCK from its listener; on Linux it does not (accept(2)).
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        let (route, client) = (self.route(), canonical(addr));
        let destination = destination(&stream, client, &route, shared);
        let subject = Subject { route, number: self.route.counters().count_connection(), client, destination };
        let conversation = shared.recording.as_ref().map(|recording| recording.conversation(&subject));
        let conversation = conversation.unwrap_or_default();
        let state = ConnectionState::new(subject, Arc::clone(&self.route), stream, accepted_at, conversation);
        Ok(Accepted { registration: shared.registry.register(state), shared: Arc::clone(shared) })
    }

    fn note_shortage(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.shortage.is_none() {
            emit(&Event::AcceptPaused(&self.route(), error));
        }
        let since = self.shortage.as_ref().map_or(now, |shortage| shortage.since);
        self.shortage = Some(Shortage { since, latest: now });
    }

    /// Logs the end of a shortage after a while without failures. During a shortage single accepts succeed, because a
    /// freed descriptor is reused at once.
    fn report_recovery(&mut self) {
        if let Some(shortage) = self.shortage.take_if(|shortage| shortage.latest.elapsed() > RECOVERY) {
            emit(&Event::AcceptResumed(&self.route(), shortage.since.elapsed()));
        }
    }

    /// Serves the connections that are left in the backlog. Closing the listener first would reset them, and keeping it
    /// open would let new ones in. So they are accepted without permits, the port is closed, and each is served when a
    /// permit is free.
    fn empty_backlog(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        let (overflow, backlog) = self.accept_overflow(shared);
        match backlog {
            Backlog::Empty => {
                drop((self.socket, open));
                serve_in_turn(overflow, &self.connection_limit, shared);
            }
            Backlog::NotEmpty => {
                // The kernel now completes no further connections, but it does not refuse them either: it drops their
                // SYNs, which are retransmitted after 1 s (RFC 6298, section 2.1). So this path is only taken if the
                // backlog could not be emptied.
                let _ = rustix::net::listen(&self.socket, 0);
                serve_in_turn(overflow, &self.connection_limit, shared);
                self.accept_in_turn(shared);
            }
        }
    }

    fn accept_overflow(&mut self, shared: &Arc<Shared>) -> (Vec<Overflow>, Backlog) {
        let mut overflow = Vec::new();
        while let Some(permit) = shared.overflow.try_acquire() {
            match self.accept(shared) {
                Ok(accepted) => overflow.push(Overflow { accepted, _permit: permit }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (overflow, Backlog::Empty),
                Err(error) if is_transient(&error) => {}
                Err(_) => break,
            }
        }
        (overflow, Backlog::NotEmpty)
    }

    fn accept_in_turn(&mut self, shared: &Arc<Shared>) {
        let cut = shared.stop.cut();
        while let Some(permit) = self.connection_limit.acquire(cut.channel()) {
            match self.accept(shared) {
                Ok(accepted) => drop(accepted.admit(permit)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_transient(&error) => {}
                Err(_) if cut.is_triggered() => break,
                Err(error) => {
                    self.note_shortage(&error);
                    pause(cut);
                }
            }
        }
    }
}

/// A connection that was accepted without a permit to be served.
struct Overflow {
    accepted: Accepted,
    /// Counts its one descriptor.
    _permit: Permit,
}

/// Whether connections are left in the backlog.
enum Backlog {
    Empty,
    NotEmpty,
}

/// Where a new connection goes.
fn destination(
    stream: &TcpStream,
    client: SocketAddr,
    route: &Route,
    shared: &Shared,
) -> Result<SocketAddr, NotRedirected> {
    match route.upstream.addr() {
        Some(addr) => Ok(addr),
        None if shared.own_sources.has(client) => Err(NotRedirected::Loop),
        None => original_destination(stream, route.listen(), route.transparency).ok_or(NotRedirected::Direct),
    }
}

fn serve_in_turn(overflow: Vec<Overflow>, connection_limit: &ConnectionLimit, shared: &Arc<Shared>) {
    for Overflow { accepted, .. } in overflow {
        match connection_limit.acquire(shared.stop.cut().channel()) {
            // `admit` has logged the error; the next connection is served regardless.
            Some(permit) => drop(accepted.admit(permit)),
            None => accepted.reject(CloseReason::Cut),
        }
    }
}

/// Waits for `PAUSE`, or until `latch` is triggered.
fn pause(latch: &Latch) {
    // The channel never carries a message: this is a sleep that the latch interrupts.
    let _ = latch.channel().recv_timeout(PAUSE);
}

/// Whether the error concerns a single client, such as one that gave up in the backlog, and not the listener.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::num::NonZeroUsize;

    use rustix::net::sockopt::{socket_keepalive, socket_oobinline};

    use super::*;
    use crate::value::{Port, RouteName};

    fn listener() -> Listener {
        // A loopback address derived from the process id: no other process uses it, so every port is free.
        let [.., high, low] = std::process::id().to_be_bytes();
        let port = Port::try_from(8180).unwrap();
        let (bind, upstream) = (Ipv4Addr::new(127, high, low, 250).into(), "127.0.0.1:1".parse().unwrap());
        let route = Route::without_faults(RouteName::from(port), bind, port, upstream);
        let listen = route.listen();
        let live = LiveRoute::new(route, 0, Arc::default()).unwrap();
        Listener::bind(listen, Arc::new(live), Arc::new(ConnectionLimit::new(NonZeroUsize::MIN))).unwrap()
    }

    #[test]
    fn accepted_sockets_inherit_the_options_of_their_listener() {
        let listener = listener();
        let _client = TcpStream::connect(listener.route().listen()).unwrap();
        wait(&mut [PollFd::new(&listener.socket, PollFlags::IN)], None);
        let (stream, _) = listener.socket.accept().unwrap();
        assert!(stream.nodelay().unwrap() && socket_keepalive(&stream).unwrap() && socket_oobinline(&stream).unwrap());
        assert!(stream.read_timeout().unwrap().is_some());
    }
}
