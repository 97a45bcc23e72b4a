//! What was asked for, in values that cannot be wrong: a [`Plan`] of [`Route`]s and the newtypes they are made of.
//!
//! No file formats, no I/O, no defaults of the command line: whoever reads a file or a flag parses into these types,
//! and past that point nothing has to be checked again. Imports nothing of this crate.

mod bind;
mod conflict;
mod diff;
mod profile;
mod toxic;
mod upstream;
mod value;

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

pub use bind::Bind;
pub use conflict::{Conflict, RouteKey};
pub use diff::{Change, diff};
pub use profile::Profile;
pub use toxic::{
    Bandwidth, CloseMode, Connections, Corrupt, Direction, Distribution, Effect, Latency, LimitData, LimitTime, Micros,
    Network, PacketLoss, Rate, ResetPeer, Selector, Sharing, Slicer, SlowClose, Stall, Stream, TimeoutToxic, Toxic,
    ToxicName, Window,
};
pub use upstream::Upstream;
pub use value::{Millis, Port, Probability, Rejected, RouteName, Timeout};

/// Every route that is to be live, and the seed that the file named, if it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    seed: Option<u64>,
    routes: Vec<Route>,
}

impl Plan {
    /// Joins routes that don't get in each other's way.
    ///
    /// # Errors
    /// Every [`Conflict`] among `routes`, which are referred to by their index.
    pub fn new(seed: Option<u64>, routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        let keys: Vec<RouteKey> = routes.iter().map(Route::key).collect();
        let conflicts = Conflict::among(&keys);
        if conflicts.is_empty() { Ok(Self { seed, routes }) } else { Err(conflicts) }
    }

    /// The seed that the file named.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// For each route, how many others its connections pass through on their way to an upstream that is no route.
    #[must_use]
    pub fn stages_ahead(&self) -> Vec<usize> {
        let next = self.feeds();
        let way = |route: usize| std::iter::successors(next[route], |&at| next[at]);
        // A plan has no loops, so that every way ends.
        (0..self.routes.len()).map(|route| way(route).count()).collect()
    }

    /// The addresses that connections leave the routes for.
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
    /// What logs and random draws know this route by.
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
    /// From the accept of a connection to the first byte forwarded, in either direction.
    pub latency: Millis,
    /// How long the upstream has to accept.
    pub connect_timeout: Timeout,
    /// What is done to the bytes, in this order; no two have the same name.
    pub toxics: Vec<Toxic>,
}

impl Route {
    /// The socket address to listen on.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port.get())
    }

    /// What it takes for itself.
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

/// What a client sees of a connection that was drawn to be dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DropMode {
    /// A clean end of stream (FIN).
    #[default]
    Close,
    /// A connection reset (RST).
    Reset,
    /// Nothing at all, until the client leaves.
    Hang,
}

impl DropMode {
    /// Every mode, in the order in which the documentation lists them.
    pub const ALL: [Self; 3] = [Self::Close, Self::Reset, Self::Hang];

    /// The word for it in configs and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Reset => "reset",
            Self::Hang => "hang",
        }
    }
}

impl FromStr for DropMode {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| Rejected::new(format!("`{text}` is not a drop mode"), "use close, reset or hang"))
    }
}
