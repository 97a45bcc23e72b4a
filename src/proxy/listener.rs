//! One route's listener: bound, then accepting on a thread of its own until the drain, then emptying its backlog.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};

use super::client::Client;
use super::connection::{Arrival, Fate};
use super::places::Place;
use super::shared::Shared;
use super::wait::wait;
use crate::dice::Dice;
use crate::event::{End, Event, Subject, emit};
use crate::plan::Route;
use crate::stop::Bell;

/// How many connections the kernel completes and holds before they are accepted; it takes no more than
/// net.core.somaxconn, which has the same default. std asks for 128, which a burst of a thousand overruns.
const BACKLOG: i32 = 4096;

/// Between two tries to accept while descriptors or memory are lacking: poll(2) would say "ready" all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    route: Arc<Route>,
    socket: TcpListener,
    dice: Dice,
    accepted: u64,
    failing_since: Option<Instant>,
}

impl Listener {
    pub fn bind(route: &Route, seed: u64) -> io::Result<Self> {
        let socket = TcpListener::bind(route.listen())?;
        rustix::net::listen(&socket, BACKLOG)?;
        socket.set_nonblocking(true)?;
        let dice = Dice::new(seed, &route.name);
        Ok(Self { route: Arc::new(route.clone()), socket, dice, accepted: 0, failing_since: None })
    }

    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Serves until the drain begins and the backlog is empty; `open` is dropped when the port is closed.
    pub fn run(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        while self.client_waits(shared.stop.draining()) {
            let Some(place) = self.place(shared) else { break };
            match self.accept(shared) {
                Ok(arrival) => arrival.admit(place, &shared.crew),
                Err(error) if is_passing(&error) => {}
                Err(error) => self.pause(&error, shared.stop.draining()),
            }
        }
        self.empty_backlog(shared, open);
    }

    /// Waits for a client; none is waited for once the drain has begun.
    fn client_waits(&self, draining: &Bell) -> bool {
        wait(&mut [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(draining, PollFlags::IN)], None);
        !draining.has_rung()
    }

    /// Takes a place before the accept, so that who has none waits in the backlog and not in our memory.
    fn place(&self, shared: &Shared) -> Option<Place> {
        shared.places.try_take().or_else(|| {
            if shared.places.first_shortage() {
                emit(&Event::Full(&self.route, shared.places.capacity()));
            }
            shared.places.take(shared.stop.draining().channel())
        })
    }

    /// # Errors
    /// No error ends a listener: they are passing, or lack something that comes back.
    fn accept(&mut self, shared: &Arc<Shared>) -> io::Result<Arrival> {
        let (stream, addr) = self.socket.accept()?;
        let opened_at = Instant::now();
        // BSD and macOS hand the listener's own mode on; Linux does not (accept(2)).
        stream.set_nonblocking(false)?;
        self.tell_recovery();
        self.accepted += 1;
        let subject = Subject { route: Arc::clone(&self.route), number: self.accepted, client: addr };
        let enrolled = shared.roster.enrol(Client::new(stream));
        Ok(Arrival { subject, fate: self.draw_fate(), opened_at, enrolled, _alive: shared.alive.clone() })
    }

    fn draw_fate(&self) -> Fate {
        if self.dice.drops(self.accepted, self.route.drop_rate) {
            Fate::Drop(self.route.drop_mode)
        } else {
            Fate::Forward
        }
    }

    /// Waits a moment for what is lacking, or until `bell` rings.
    fn pause(&mut self, error: &io::Error, bell: &Bell) {
        if self.failing_since.is_none() {
            self.failing_since = Some(Instant::now());
            emit(&Event::AcceptPaused(&self.route, error));
        }
        // Nothing is ever sent: this is a sleep that the bell ends.
        let _ = bell.channel().recv_timeout(PAUSE);
    }

    fn tell_recovery(&mut self) {
        if let Some(since) = self.failing_since.take() {
            emit(&Event::AcceptResumed(&self.route, since.elapsed()));
        }
    }

    /// Closing a listener resets whoever waits in its backlog, and keeping it open lets newcomers in. So everyone is
    /// accepted first, without a place, then the port is closed, and then they are served as places become free.
    fn empty_backlog(mut self, shared: &Arc<Shared>, open: Sender<Infallible>) {
        let waiting = self.accept_all(shared);
        drop((self.socket, open));
        for arrival in waiting {
            // Taken together with the bell, a place could be had although it rings.
            let place = shared.places.take(shared.stop.cut().channel()).filter(|_| !shared.stop.cut().has_rung());
            match place {
                Some(place) => arrival.admit(place, &shared.crew),
                None => arrival.turn_away(End::Cut),
            }
        }
    }

    /// Newcomers may be faster than we are, and then the backlog is never empty: after a while it is closed to them. Not
    /// at once, as the kernel drops what a closed backlog can't take instead of refusing it, and a dropped SYN is only
    /// sent again after a second (RFC 6298, section 2.1).
    fn accept_all(&mut self, shared: &Arc<Shared>) -> Vec<Arrival> {
        let (began, mut waiting, mut closing) = (Instant::now(), Vec::new(), false);
        loop {
            if !closing && began.elapsed() > PAUSE {
                closing = true;
                // Were it refused, it would only take longer.
                let _ = rustix::net::listen(&self.socket, 0);
            }
            match self.accept(shared) {
                Ok(arrival) => waiting.push(arrival),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_passing(&error) => {}
                Err(_) if shared.stop.cut().has_rung() => break,
                Err(error) => self.pause(&error, shared.stop.cut()),
            }
        }
        waiting
    }
}

/// Whether the error is about one client, who has given up in the backlog, and not about the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}
