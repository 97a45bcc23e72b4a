//! One route's listener: bound, then accepting on a thread of its own until the drain, then emptying its backlog.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::set_tcp_nodelay;

use crate::dice::Dice;
use crate::event::{CloseReason, Event, Subject, emit};
use crate::plan::Route;
use crate::proxy::admission::{ConnectionLimit, Permit};
use crate::proxy::connection::{Arrival, Fate};
use crate::proxy::shared::Shared;
use crate::proxy::socket::keepalive::notice_silence;
use crate::proxy::socket::wait::wait;
use crate::proxy::state::Client;
use crate::stop::Latch;
use crate::toxic::Toxics;

/// How many connections the kernel completes and holds before they are accepted; it takes no more than
/// net.core.somaxconn, which has the same default. std asks for 128, which a burst of a thousand overruns.
const BACKLOG: i32 = 4096;

/// Between two tries to accept while descriptors or memory are lacking: poll(2) would say "ready" all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// Without a failure for this long, a shortage is over.
const RECOVERY: Duration = Duration::from_secs(1);

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    route: Arc<Route>,
    socket: TcpListener,
    connection_limit: Arc<ConnectionLimit>,
    dice: Dice,
    toxics: Arc<Toxics>,
    live_since: Instant,
    accepted: u64,
    shortage: Option<Shortage>,
}

/// Accepting fails now and then for lack of something.
#[derive(Debug)]
struct Shortage {
    since: Instant,
    latest: Instant,
}

impl Listener {
    pub fn bind(route: &Route, seed: u64, connection_limit: Arc<ConnectionLimit>) -> io::Result<Self> {
        let socket = TcpListener::bind(route.listen())?;
        rustix::net::listen(&socket, BACKLOG)?;
        socket.set_nonblocking(true)?;
        // Connections inherit both from their listener.
        set_tcp_nodelay(&socket, true)?;
        notice_silence(&socket)?;
        let dice = Dice::new(seed, &route.name);
        let toxics = Arc::new(Toxics::new(&route.toxics, dice.clone()));
        Ok(Self {
            route: Arc::new(route.clone()),
            socket,
            connection_limit,
            dice,
            toxics,
            live_since: Instant::now(),
            accepted: 0,
            shortage: None,
        })
    }

    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Serves until the drain begins and the backlog is empty; `open` is dropped when the port is closed.
    pub fn run(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        while self.client_waits(shared.stop.draining()) {
            let Some(permit) = self.permit(shared) else { break };
            match self.accept(shared).and_then(|arrival| arrival.admit(permit, &shared.pool)) {
                Ok(()) => self.report_recovery(),
                Err(error) if is_passing(&error) => {}
                Err(error) => self.pause(&error, shared.stop.draining()),
            }
        }
        self.empty_backlog(shared, open);
    }

    /// Waits for a client; none is waited for once the drain has begun.
    fn client_waits(&self, draining: &Latch) -> bool {
        wait(&mut [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(draining, PollFlags::IN)], None);
        !draining.is_triggered()
    }

    /// Takes a place before the accept, so that who has none waits in the backlog and not in our memory.
    fn permit(&self, shared: &Shared) -> Option<Permit> {
        self.connection_limit.try_take().or_else(|| {
            if self.connection_limit.first_shortage() {
                emit(&Event::Full(&self.route, self.connection_limit.capacity()));
            }
            self.connection_limit.take(shared.stop.draining().channel())
        })
    }

    /// # Errors
    /// No error ends a listener: they are passing, or lack something that comes back.
    fn accept(&mut self, shared: &Arc<Shared>) -> io::Result<Arrival> {
        let (stream, addr) = self.socket.accept()?;
        let opened_at = Instant::now();
        // BSD and macOS hand the listener's own mode on; Linux does not (accept(2)).
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        self.accepted += 1;
        let subject = Subject { route: Arc::clone(&self.route), number: self.accepted, client: addr };
        let registration = shared.registry.register(Client::new(stream));
        let (fate, toxics) = (self.draw_fate(), Arc::clone(&self.toxics));
        Ok(Arrival {
            subject,
            fate,
            toxics,
            live_since: self.live_since,
            opened_at,
            registration,
            _alive: shared.alive.clone(),
        })
    }

    fn draw_fate(&self) -> Fate {
        if self.dice.drops(self.accepted, self.route.drop_rate) {
            Fate::Drop(self.route.drop_mode)
        } else {
            Fate::Forward
        }
    }

    /// Waits a moment for what is lacking, or until `latch` rings.
    fn pause(&mut self, error: &io::Error, latch: &Latch) {
        let now = Instant::now();
        if self.shortage.is_none() {
            emit(&Event::AcceptPaused(&self.route, error));
        }
        let since = self.shortage.as_ref().map_or(now, |shortage| shortage.since);
        self.shortage = Some(Shortage { since, latest: now });
        // Nothing is ever sent: this is a sleep that the bell ends.
        let _ = latch.channel().recv_timeout(PAUSE);
    }

    /// While descriptors are short, each that is given back is taken at once, and the shortage is not over for it.
    fn report_recovery(&mut self) {
        if let Some(shortage) = self.shortage.take_if(|shortage| shortage.latest.elapsed() > RECOVERY) {
            emit(&Event::AcceptResumed(&self.route, shortage.since.elapsed()));
        }
    }

    /// Closing a listener resets whoever waits in its backlog, and keeping it open lets newcomers in. So everyone is
    /// accepted first, without a place, then the port is closed, and then they are served as places become free.
    fn empty_backlog(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        let (waiting, rest) = self.accept_without_places(shared);
        match rest {
            Rest::None => {
                drop((self.socket, open));
                serve_in_turn(waiting, &self.connection_limit, shared);
            }
            Rest::InBacklog => {
                // The kernel completes no more connections from here on. It does not refuse them either: it drops
                // their SYNs, which come again after a second (RFC 6298, section 2.1). So this is for need only.
                let _ = rustix::net::listen(&self.socket, 0);
                serve_in_turn(waiting, &self.connection_limit, shared);
                self.accept_in_turn(shared);
            }
        }
    }

    fn accept_without_places(&mut self, shared: &Arc<Shared>) -> (Vec<Waiting>, Rest) {
        let mut waiting = Vec::new();
        while let Some(permit) = shared.overflow.try_take() {
            match self.accept(shared) {
                Ok(arrival) => waiting.push(Waiting { arrival, _permit: permit }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (waiting, Rest::None),
                Err(error) if is_passing(&error) => {}
                Err(_) => break,
            }
        }
        (waiting, Rest::InBacklog)
    }

    fn accept_in_turn(&mut self, shared: &Arc<Shared>) {
        while let Some(permit) = self.connection_limit.take(shared.stop.cut().channel()) {
            match self.accept(shared) {
                Ok(arrival) => drop(arrival.admit(permit, &shared.pool)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_passing(&error) => {}
                Err(_) if shared.stop.cut().is_triggered() => break,
                Err(error) => self.pause(&error, shared.stop.cut()),
            }
        }
    }
}

/// A connection that was accepted without a place.
struct Waiting {
    arrival: Arrival,
    /// For its one descriptor.
    _permit: Permit,
}

/// What is left of a backlog.
enum Rest {
    None,
    InBacklog,
}

fn serve_in_turn(waiting: Vec<Waiting>, connection_limit: &ConnectionLimit, shared: &Arc<Shared>) {
    for Waiting { arrival, .. } in waiting {
        match connection_limit.take(shared.stop.cut().channel()) {
            // Whoever gets no thread has been told, and nobody else can be held back for it.
            Some(permit) => drop(arrival.admit(permit, &shared.pool)),
            None => arrival.turn_away(CloseReason::Cut),
        }
    }
}

/// Whether the error is about one client, who has given up in the backlog, and not about the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::num::NonZeroUsize;

    use rustix::net::sockopt::socket_keepalive;

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
        Listener::bind(&route, 0, Arc::new(ConnectionLimit::new(NonZeroUsize::MIN))).unwrap()
    }

    #[test]
    fn connections_inherit_what_is_set_on_their_listener() {
        let listener = listener();
        let _client = TcpStream::connect(listener.route.listen()).unwrap();
        wait(&mut [PollFd::new(&listener.socket, PollFlags::IN)], None);
        let (stream, _) = listener.socket.accept().unwrap();
        assert!(stream.nodelay().unwrap() && socket_keepalive(&stream).unwrap());
    }
}
