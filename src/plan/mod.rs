//! What was asked for, in values that can't be invalid: a [`Plan`] of [`Route`]s.
//!
//! No file formats, no I/O, no defaults of the command line. Files and flags are parsed into these types, and past that
//! point nothing has to be checked again. What a toxic does is in `toxic`.

mod bind;
mod conflict;
mod diff;
pub mod keys;
mod profile;
mod serial;
mod upstream;

use std::net::{IpAddr, SocketAddr};

pub use bind::Bind;
pub use conflict::{Conflict, RouteKey};
pub use diff::{Change, diff};
pub use profile::Profile;
pub use upstream::Upstream;

use crate::toxic::Toxic;
use crate::value::{Millis, Port, Probability, RouteName, Timeout, words};

/// Every route to open, and the seed if the file has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    seed: Option<u64>,
    routes: Vec<Route>,
}

impl Plan {
    /// A plan of routes that don't conflict.
    ///
    /// # Errors
    /// Every [`Conflict`] among `routes`, which it names by their index.
    pub fn new(seed: Option<u64>, routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        let keys: Vec<RouteKey> = routes.iter().map(Route::key).collect();
        let conflicts = Conflict::among(&keys);
        if conflicts.is_empty() { Ok(Self { seed, routes }) } else { Err(conflicts) }
    }

    /// The seed of the file.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// For each route, the number of other routes that its connections pass through before they reach an upstream that
    /// is no route.
    #[must_use]
    pub fn stages_ahead(&self) -> Vec<usize> {
        let next = self.feeds();
        let path = |route: usize| std::iter::successors(next[route], |&at| next[at]);
        // A plan has no loops: every path ends.
        (0..self.routes.len()).map(|route| path(route).count()).collect()
    }

    /// The upstreams that are no routes.
    pub fn outer_upstreams(&self) -> impl Iterator<Item = SocketAddr> {
        let outer = self.routes.iter().zip(self.feeds()).filter(|(_, next)| next.is_none());
        outer.map(|(route, _)| route.upstream.addr())
    }

    fn feeds(&self) -> Vec<Option<usize>> {
        conflict::feeds(&self.routes.iter().map(Route::key).collect::<Vec<_>>())
    }

    /// The routes, at least one, in the order in which they were written.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

/// One listener, its upstream, and the faults between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The name in logs and random draws.
    pub name: RouteName,
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port to listen on.
    pub port: Port,
    /// Where connections go.
    pub upstream: Upstream,
    /// The share of connections that never reach the upstream.
    pub drop_rate: Probability,
    /// What a dropped connection looks like to its client.
    pub drop_mode: DropMode,
    /// The delay from the accept of a connection to its first byte forwarded, in either direction.
    pub latency: Millis,
    /// The limit on dialling the upstream.
    pub connect_timeout: Timeout,
    /// The toxics in the order in which bytes meet them; each name is unique.
    pub toxics: Vec<Toxic>,
}

impl Route {
    /// The socket address to listen on.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port.get())
    }

    /// What no other route may have.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        RouteKey {
            name: Some(self.name.clone()),
            bind: Some(self.bind),
            port: Some(self.port),
            upstream: Some(self.upstream),
        }
    }
}

words! {
    /// What a client sees of a connection that was drawn to be dropped.
    #[derive(Default)]
    pub enum DropMode("is not a drop mode", "use close, reset or hang") {
        /// A clean end of stream (FIN).
        #[default]
        Close = "close",
        /// A connection reset (RST).
        Reset = "reset",
        /// Nothing at all, until the client leaves.
        Hang = "hang",
    }
}
