//! One route's listener: bound, then accepting on a thread of its own until the route stops, then emptying its backlog.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::{set_socket_oobinline, set_tcp_nodelay};

use super::admission::{ConnectionLimit, Permit};
use super::connection::Accepted;
use super::live_route::LiveRoute;
use super::shared::Shared;
use super::socket::keepalive::notice_silence;
use super::socket::wait::wait;
use super::state::ConnectionState;
use crate::event::{CloseReason, Event, Subject, emit};
use crate::plan::Route;
use crate::stop::Latch;

/// How many connections the kernel completes and holds before they are accepted; it takes no more than
/// net.core.somaxconn, which has the same default. std asks for 128, which a burst of a thousand overruns.
const BACKLOG: i32 = 4096;

/// Between two tries to accept while descriptors or memory are lacking: poll(2) would report the socket as ready all the
/// time.
const PAUSE: Duration = Duration::from_millis(50);

/// Without a failure for this long, a shortage is over.
const RECOVERY: Duration = Duration::from_secs(1);

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    route: Arc<LiveRoute>,
    socket: TcpListener,
    stop: Arc<Latch>,
    connection_limit: Arc<ConnectionLimit>,
    shortage: Option<Shortage>,
}

/// Accepting fails now and then for lack of something.
#[derive(Debug)]
struct Shortage {
    since: Instant,
    latest: Instant,
}

impl Listener {
    pub fn bind(listen: SocketAddr, route: Arc<LiveRoute>, connection_limit: Arc<ConnectionLimit>) -> io::Result<Self> {
        let socket = TcpListener::bind(listen)?;
        rustix::net::listen(&socket, BACKLOG)?;
        socket.set_nonblocking(true)?;
        // Connections inherit all three from their listener. Urgent data stays in the stream: where it is taken out, the
        // byte is lost, and splice(2) ends at the mark.
        set_tcp_nodelay(&socket, true)?;
        set_socket_oobinline(&socket, true)?;
        notice_silence(&socket)?;
        Ok(Self { route, socket, stop: Arc::new(Latch::new()?), connection_limit, shortage: None })
    }

    pub fn live(&self) -> &Arc<LiveRoute> {
        &self.route
    }

    /// Triggered when it is to accept no more connections.
    pub fn stop(&self) -> &Arc<Latch> {
        &self.stop
    }

    pub fn route(&self) -> Arc<Route> {
        Arc::clone(&self.route.generation().route)
    }

    /// Serves until it is stopped and the backlog is empty; `open` is dropped when the port is closed.
    pub fn run(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        while self.client_waits() {
            let Some(permit) = self.permit() else { break };
            match self.accept(shared).and_then(|accepted| accepted.admit(permit)) {
                Ok(()) => self.report_recovery(),
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.note_shortage(&error);
                    pause(&self.stop);
                }
            }
        }
        self.empty_backlog(shared, open);
    }

    /// Waits for a client; none is waited for once the route has stopped.
    fn client_waits(&self) -> bool {
        wait(&mut [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&*self.stop, PollFlags::IN)], None);
        !self.stop.is_triggered()
    }

    /// Takes a permit before the accept, so that a client without one waits in the backlog and not in our memory.
    fn permit(&self) -> Option<Permit> {
        self.connection_limit.try_take().or_else(|| {
            if self.connection_limit.first_shortage() {
                emit(&Event::Full(&self.route(), self.connection_limit.capacity()));
            }
            self.connection_limit.take(self.stop.channel())
        })
    }

    /// # Errors
    /// No error ends a listener: they are passing, or lack something that comes back.
    fn accept(&mut self, shared: &Arc<Shared>) -> io::Result<Accepted> {
        let (stream, addr) = self.socket.accept()?;
        let accepted_at = Instant::now();
        // BSD and macOS hand the listener's own mode on; Linux does not (accept(2)).
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        let subject = Subject { route: self.route(), number: self.route.count_connection(), client: addr };
        let state = ConnectionState::new(subject, Arc::clone(&self.route), stream, accepted_at);
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

    /// While descriptors are short, each that is given back is taken at once, and the shortage is not over for it.
    fn report_recovery(&mut self) {
        if let Some(shortage) = self.shortage.take_if(|shortage| shortage.latest.elapsed() > RECOVERY) {
            emit(&Event::AcceptResumed(&self.route(), shortage.since.elapsed()));
        }
    }

    /// Closing a listener resets what waits in its backlog, and keeping it open lets new connections in. So all of them are
    /// accepted first, without a permit, then the port is closed, and then they are served as permits become free.
    fn empty_backlog(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        let (overflow, backlog) = self.accept_overflow(shared);
        match backlog {
            Backlog::Empty => {
                drop((self.socket, open));
                serve_in_turn(overflow, &self.connection_limit, shared);
            }
            Backlog::NotEmpty => {
                // The kernel completes no more connections from here on. It does not refuse them either: it drops
                // their SYNs, which come again after a second (RFC 6298, section 2.1). So this is for need only.
                let _ = rustix::net::listen(&self.socket, 0);
                serve_in_turn(overflow, &self.connection_limit, shared);
                self.accept_in_turn(shared);
            }
        }
    }

    fn accept_overflow(&mut self, shared: &Arc<Shared>) -> (Vec<Overflow>, Backlog) {
        let mut overflow = Vec::new();
        while let Some(permit) = shared.overflow.try_take() {
            match self.accept(shared) {
                Ok(accepted) => overflow.push(Overflow { accepted, _permit: permit }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (overflow, Backlog::Empty),
                Err(error) if is_passing(&error) => {}
                Err(_) => break,
            }
        }
        (overflow, Backlog::NotEmpty)
    }

    fn accept_in_turn(&mut self, shared: &Arc<Shared>) {
        let cut = shared.stop.cut();
        while let Some(permit) = self.connection_limit.take(cut.channel()) {
            match self.accept(shared) {
                Ok(accepted) => drop(accepted.admit(permit)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_passing(&error) => {}
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
    /// For its one descriptor.
    _permit: Permit,
}

/// What is left of a backlog.
enum Backlog {
    Empty,
    NotEmpty,
}

fn serve_in_turn(overflow: Vec<Overflow>, connection_limit: &ConnectionLimit, shared: &Arc<Shared>) {
    for Overflow { accepted, .. } in overflow {
        match connection_limit.take(shared.stop.cut().channel()) {
            // One that gets no thread has been logged, and the others need not wait for that.
            Some(permit) => drop(accepted.admit(permit)),
            None => accepted.turn_away(CloseReason::Cut),
        }
    }
}

/// Waits a moment for what is lacking, or until `latch` is triggered.
fn pause(latch: &Latch) {
    // Nothing is ever sent: this is a sleep that the latch ends.
    let _ = latch.channel().recv_timeout(PAUSE);
}

/// Whether the error is about one client, which has given up in the backlog, and not about the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::num::NonZeroUsize;

    use rustix::net::sockopt::{socket_keepalive, socket_oobinline};

    use super::*;
    use crate::plan::DropMode;
    use crate::value::{Millis, Port, Probability, RouteName, Timeout};

    fn listener() -> Listener {
        // An address that no other process has, so that any port of it is free.
        let [.., high, low] = std::process::id().to_be_bytes();
        let port = Port::try_from(8180).unwrap();
        let route = Route {
            name: RouteName::from(port),
            bind: Ipv4Addr::new(127, high, low, 250).into(),
            port,
            upstream: "127.0.0.1:1".parse().unwrap(),
            drop_rate: Probability::default(),
            drop_mode: DropMode::default(),
            latency: Millis::default(),
            connect_timeout: Timeout::CONNECT,
            toxics: Vec::new(),
        };
        let listen = route.listen();
        let live = LiveRoute::new(route, 0, Arc::default()).unwrap();
        Listener::bind(listen, Arc::new(live), Arc::new(ConnectionLimit::new(NonZeroUsize::MIN))).unwrap()
    }

    #[test]
    fn connections_inherit_what_is_set_on_their_listener() {
        let listener = listener();
        let _client = TcpStream::connect(listener.route().listen()).unwrap();
        wait(&mut [PollFd::new(&listener.socket, PollFlags::IN)], None);
        let (stream, _) = listener.socket.accept().unwrap();
        assert!(stream.nodelay().unwrap() && socket_keepalive(&stream).unwrap() && socket_oobinline(&stream).unwrap());
    }
}
