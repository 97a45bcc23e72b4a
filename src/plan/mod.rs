//! The wanted state as values that are always valid: a [`Plan`] of [`Route`]s.
//!
//! No file formats, no I/O, no defaults of the command line. Files and flags are parsed into these types, and need no
//! further checks after that. What a toxic does is in `toxic`.

mod bind;
mod conflict;
mod diff;
mod difference;
mod expect;
pub mod keys;
mod listen_address;
mod local_port;
mod profile;
pub mod scenario;
mod scope;
mod serial;
mod upstream;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use bind::Bind;
pub use conflict::{Conflict, RouteKey, overlap};
pub use diff::{Change, diff};
pub use difference::{Difference, KeyDifference, PlanDifference, describe, plan_differences, route_differences};
pub use expect::{Comparison, Condition, Count, Expectation, Judgement, METRICS, Metric, Missing, Rank, Timing};
pub use listen_address::ListenAddress;
pub use local_port::{LocalPort, PortChoice, keep_auto_ports};
pub use profile::Profile;
pub use scenario::{CutMode, Scenario};
pub use scope::Scope;
pub use upstream::Upstream;

use crate::toxic::Toxic;
use crate::value::{Millis, Port, Probability, RouteName, Timeout, flag, words};

/// All routes to open, what changes them over time, and what else the file has: the seed, the admin address,
/// expectations. The default has no routes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    seed: Option<u64>,
    admin: Option<ListenAddress>,
    routes: Vec<Route>,
    scenario: Scenario,
    expectations: Vec<Expectation>,
}

impl Plan {
    /// Creates a plan of routes without conflicts.
    ///
    /// # Errors
    /// All [`Conflict`]s among `routes`, which identify routes by their index.
    pub fn new(seed: Option<u64>, routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        let keys: Vec<RouteKey> = routes.iter().map(Route::key).collect();
        let conflicts = Conflict::among(&keys);
        if conflicts.is_empty() { Ok(Self { seed, routes, ..Self::default() }) } else { Err(conflicts) }
    }

    /// The seed of the file.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The same plan with an admin address.
    #[must_use]
    pub fn with_admin(self, admin: Option<ListenAddress>) -> Self {
        Self { admin, ..self }
    }

    /// The address of the admin server in the file.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.map(ListenAddress::addr)
    }

    /// The same plan with a scenario.
    #[must_use]
    pub fn with_scenario(self, scenario: Scenario) -> Self {
        Self { scenario, ..self }
    }

    /// What changes the routes over time.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The same plan with expectations.
    #[must_use]
    pub fn with_expectations(self, expectations: Vec<Expectation>) -> Self {
        Self { expectations, ..self }
    }

    /// What a run of the plan is expected to do.
    #[must_use]
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Returns for each route the number of other routes that its connections pass through before they reach an
    /// upstream outside of the plan.
    #[must_use]
    pub fn stages_ahead(&self) -> Vec<usize> {
        let next = self.upstream_routes();
        let path = |route: usize| std::iter::successors(next[route], |&at| next[at]);
        // A plan has no loops, so every path ends.
        (0..self.routes.len()).map(|route| path(route).count()).collect()
    }

    /// The upstreams that are not routes of the plan.
    pub fn outer_upstreams(&self) -> impl Iterator<Item = SocketAddr> {
        let outer = self.routes.iter().zip(self.upstream_routes()).filter(|(_, next)| next.is_none());
        outer.filter_map(|(route, _)| route.upstream.addr())
    }

    fn upstream_routes(&self) -> Vec<Option<usize>> {
        conflict::upstream_routes(&self.routes.iter().map(Route::key).collect::<Vec<_>>())
    }

    /// The routes in the order in which they were written.
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
    /// What has chosen the port.
    pub port_choice: PortChoice,
    /// The address that connections go to.
    pub upstream: Upstream,
    /// Whose address the upstream sees.
    pub transparency: Transparency,
    /// The share of connections that never reach the upstream.
    pub drop_rate: Probability,
    /// What the client of a dropped connection observes.
    pub drop_mode: DropMode,
    /// The delay from the accept of a connection to its first byte forwarded, in either direction.
    pub latency: Millis,
    /// The limit on dialling the upstream.
    pub connect_timeout: Timeout,
    /// Whether it accepts connections.
    pub state: RouteState,
    /// The toxics in the order in which they act. Each name is unique.
    pub toxics: Vec<Toxic>,
}

impl Route {
    /// An enabled route that forwards bytes as they are. Each setting has the default of its key.
    #[must_use]
    pub fn without_faults(name: RouteName, bind: IpAddr, port: Port, upstream: Upstream) -> Self {
        Self {
            name,
            bind,
            port,
            port_choice: PortChoice::Given,
            upstream,
            transparency: Transparency::default(),
            drop_rate: Probability::NEVER,
            drop_mode: DropMode::default(),
            latency: Millis::default(),
            connect_timeout: Timeout::CONNECT,
            state: RouteState::Enabled,
            toxics: Vec::new(),
        }
    }

    /// The socket address to listen on.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port.get())
    }

    /// The address at which a client on this machine reaches the route.
    #[must_use]
    pub fn reachable_at(&self) -> SocketAddr {
        reachable(self.listen())
    }

    /// The parts of the route that can conflict with another route. A disabled route occupies no port.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        let listens = self.state == RouteState::Enabled;
        RouteKey {
            name: Some(self.name.clone()),
            bind: listens.then_some(self.bind),
            port: listens.then_some(self.port),
            upstream: Some(self.upstream),
        }
    }
}

/// The address at which a client on this machine reaches a listener: the loopback if it listens on every address.
#[must_use]
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// The ports of the routes that accept connections: `8180,8181`.
#[must_use]
pub fn open_ports(routes: &[Route]) -> String {
    let enabled = routes.iter().filter(|route| route.state == RouteState::Enabled);
    enabled.map(|route| route.port.to_string()).collect::<Vec<_>>().join(",")
}

/// Whose address the upstream of a route sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transparency {
    /// That of the proxy.
    #[default]
    Visible,
    /// That of the client. The route accepts connections to the addresses of others, too.
    Transparent,
}

flag!(Transparency: Visible, Transparent);

/// Whether a route accepts connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteState {
    /// It listens on its port.
    #[default]
    Enabled,
    /// Its port is closed, as if its upstream were down.
    Disabled,
}

flag!(RouteState: Disabled, Enabled);

words! {
    /// What the client of a dropped connection observes.
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
