//! What a run will do to connections 1, 2, 3, … of each route, computed in advance: which are dropped, which toxics act on
//! them, and where. Opens no socket: the draws come from `dice`, and each toxic gets a made-up stream to act on, in the
//! chain that the proxy would use. The text for a person is `text`, the
//! one for programs `json`.
//!
//! A toxic is tried alone. The result holds for the bytes that reach it while it acts: a toxic in front of it may end the
//! stream before, or delay bytes out of its window.

mod act;
mod json;
mod rehearsal;
mod text;

use std::net::{IpAddr, SocketAddr};

use crate::dice::Dice;
use crate::plan::{DropMode, Plan, Route, RouteState};
use crate::toxic::{Moment, NEVER, Recorded, Target, Toxic, Toxics};
use crate::value::{Direction, RouteName, ToxicName};
pub use act::{Act, Flip, Loss};

const DIRECTIONS: [Direction; 2] = [Direction::Upstream, Direction::Downstream];

/// What happens to the connections of all routes.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The seed of all draws.
    pub seed: u64,
    /// The address of all clients.
    pub client: IpAddr,
    /// The routes in the order in which they were written.
    pub routes: Vec<RouteOutcome>,
}

/// What happens to the connections of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteOutcome {
    /// Which route.
    pub name: RouteName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its connections go.
    pub upstream: SocketAddr,
    /// Whether a toxic selects connections by their client.
    pub depends_on_client: bool,
    /// The connections, from number 1 on. None if the route is disabled.
    pub connections: Vec<ConnectionOutcome>,
}

/// What happens to a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionOutcome {
    /// Its number on the route.
    pub number: u64,
    /// Its fate.
    pub fate: Fate,
}

/// Whether a connection reaches its upstream.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is dropped.
    Dropped {
        /// How.
        mode: DropMode,
    },
    /// It is forwarded.
    Forwarded {
        /// The time from the accept until bytes are forwarded.
        latency_ms: u32,
        /// What toxics do to it, in the order in which bytes pass them.
        toxics: Vec<ToxicOutcome>,
    },
}

/// What a toxic does to one direction of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ToxicOutcome {
    /// Which toxic.
    pub name: ToxicName,
    /// Its type.
    pub toxic_type: &'static str,
    /// The direction.
    pub stream: Direction,
    /// When it begins to act, as a duration after the accept.
    pub from: Moment,
    /// When it stops. `NEVER` if it does not.
    pub until: Moment,
    /// What it does.
    pub act: Act,
}

/// Explains the first `connections` connections of each route.
#[must_use]
pub fn explain(plan: &Plan, seed: u64, connections: u64, client: IpAddr) -> Explanation {
    let explained = |route| explain_route(route, &Dice::new(seed, &route.name), connections, client);
    Explanation { seed, client, routes: plan.routes().iter().map(explained).collect() }
}

fn explain_route(route: &Route, dice: &Dice, connections: u64, client: IpAddr) -> RouteOutcome {
    let numbers = match route.state {
        RouteState::Enabled => 1..=connections,
        RouteState::Disabled => 1..=0,
    };
    let outcome = |number| ConnectionOutcome { number, fate: fate(route, dice, number, client) };
    RouteOutcome {
        name: route.name.clone(),
        listen: route.listen(),
        upstream: route.upstream.addr(),
        depends_on_client: route.toxics.iter().any(|toxic| !toxic.selector.clients.is_empty()),
        connections: numbers.map(outcome).collect(),
    }
}

fn fate(route: &Route, dice: &Dice, number: u64, client: IpAddr) -> Fate {
    if dice.drop_draw(number, route.drop_rate).hits() {
        return Fate::Dropped { mode: route.drop_mode };
    }
    let target = Target { number, client, opened: Moment::ZERO };
    let latency = route.latency.duration();
    let of_toxic = |toxic| DIRECTIONS.into_iter().filter_map(move |way| outcome(toxic, dice, &target, way, latency));
    Fate::Forwarded { latency_ms: route.latency.get(), toxics: route.toxics.iter().flat_map(of_toxic).collect() }
}

/// What the toxic does to a stream that is forwarded from `latency` on. `None` if it does not act on it.
fn outcome(toxic: &Toxic, dice: &Dice, target: &Target, stream: Direction, latency: Moment) -> Option<ToxicOutcome> {
    let alone = Toxics::new(std::slice::from_ref(toxic), dice.clone(), Recorded::Every);
    let chain = alone.chain(target, stream, 0)?;
    let (from, until) = (toxic.selector.window.begins(), toxic.selector.window.ends());
    let act = act::of(&toxic.effect, chain, from.max(latency)..until)?;
    let (name, toxic_type) = (toxic.name.clone(), toxic.effect.as_str());
    Some(ToxicOutcome { name, toxic_type, stream, from, until, act })
}

impl ToxicOutcome {
    /// Whether it acts from the accept to the end of the connection.
    #[must_use]
    pub fn always_acts(&self) -> bool {
        self.from.is_zero() && self.until == NEVER
    }
}
