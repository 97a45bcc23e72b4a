//! The config keys of a file, of its routes and of its scenario. Those of a toxic are declared in `toxic`.

use super::{
    Bind, CutMode, DropMode, ListenAddress, LocalPort, METRICS, Profile, RouteState, Scope, Transparency, Upstream,
};
use crate::value::Presence::{Optional, Otherwise, Required};
use crate::value::{Key, Kind, Millis, Probability, RouteName, Scalar, Seed, TimeSpan, Timeout, Written};

/// The keys of a file that is an object.
pub const FILE: &[Key] = &[SEED, ADMIN, ROUTES, SCENARIO, EXPECT];

/// The keys of a route, in the order in which it is written.
pub const ROUTE: &[Key] = &[
    LOCAL_PORT,
    UPSTREAM,
    NAME,
    BIND,
    TRANSPARENT,
    ENABLED,
    DROP_RATE,
    DROP_MODE,
    LATENCY,
    CONNECT_TIMEOUT,
    PROFILE,
    TOXICS,
];

/// The keys of a route in the format of Toxiproxy's config file, with ours in addition: `listen` has the port and the
/// address.
pub const TOXIPROXY_ROUTE: &[Key] =
    &[NAME, LISTEN, UPSTREAM, TRANSPARENT, ENABLED, DROP_RATE, DROP_MODE, LATENCY, CONNECT_TIMEOUT, PROFILE, TOXICS];

/// The keys of a scenario that is an object.
pub const SCENARIO_OBJECT: &[Key] = &[REPEAT, STEPS];

/// The keys of a step of a scenario.
pub const STEP: &[Key] = &[AT, STEP_ROUTE, SET, RAMP, DOWN, UP, CUT];

/// The keys of a route that a step can set.
pub const SETTABLE: &[Key] = &[DROP_RATE, DROP_MODE, LATENCY, CONNECT_TIMEOUT, SET_TOXICS];

/// The seed of all random draws.
pub const SEED: Key = Key::new(
    "seed",
    "The number that every random draw is made from.",
    Seed::KIND,
    Otherwise("a new one each run, logged"),
);

/// The address of the admin server.
pub const ADMIN: Key = Key::new(
    "admin",
    "The address of the admin server; `IP:PORT`, or `localhost:PORT`. `--admin` overrides it.",
    ListenAddress::KIND,
    Otherwise("no admin server"),
);

/// The routes.
pub const ROUTES: Key = Key::new("routes", "The list of routes.", Kind::Nested("a list"), Required(None));

/// What a run is expected to do.
pub const EXPECT: Key = Key::new(
    "expect",
    "[Expectations](#expectations) of the run, judged at its end.",
    Kind::Nested("a list"),
    Otherwise("none"),
);

/// The route of an expectation.
pub const EXPECTED_ROUTE: Key = Key::new(
    "route",
    "The name of the route, or `*` for all routes together.",
    Scope::KIND,
    Optional(|| Scope::All.write()),
);

/// The keys of an expectation.
#[must_use]
pub fn expectation() -> Vec<Key> {
    [EXPECTED_ROUTE].into_iter().chain(METRICS.iter().map(|(key, _)| *key)).collect()
}

/// The port that a route listens on.
pub const LOCAL_PORT: Key = Key::new(
    "localPort",
    "The port to listen on; each route has its own. `\"auto\"` is a port that is free, and needs a `name`.",
    LocalPort::KIND,
    Required(Some(|| Scalar::Whole(8180))),
);

/// The address and the port that a route listens on, in Toxiproxy's format.
pub const LISTEN: Key = Key::new(
    "listen",
    "Where to listen; `IP:PORT`, `localhost:PORT`, or `:PORT` for every address.",
    ListenAddress::KIND,
    Required(Some(|| Scalar::Text("127.0.0.1:8180".to_owned()))),
);

/// The address that a route's connections go to.
pub const UPSTREAM: Key = Key::new(
    "upstream",
    "Where connections go; `IP:PORT` or `[IPv6]:PORT`, with `--resolve` also `HOST:PORT`; `original` is where each went before it \
     was [redirected](#interception).",
    Upstream::KIND,
    Required(Some(|| Scalar::Text("127.0.0.1:9090".to_owned()))),
);

/// The name of a route.
pub const NAME: Key = Key::new(
    "name",
    "What logs and random draws call the route; 1 to 100 characters, distinct.",
    RouteName::KIND,
    Otherwise("its port"),
);

/// The address that a route listens on.
pub const BIND: Key = Key::new(
    "bind",
    "The IP address to listen on; `0.0.0.0` or `::` for all.",
    Bind::KIND,
    Otherwise("`127.0.0.1`, or `--bind`"),
);

/// Whose address the upstream sees.
pub const TRANSPARENT: Key = Key::new(
    "transparent",
    "Whether the upstream sees the address of the client, and TPROXY can [redirect](#interception) to the port.",
    Transparency::KIND,
    Optional(|| Transparency::default().write()),
);

/// Whether a route accepts connections.
pub const ENABLED: Key = Key::new(
    "enabled",
    "Whether it listens; a disabled route refuses connections until it is enabled.",
    RouteState::KIND,
    Optional(|| RouteState::default().write()),
);

/// The share of connections that are dropped.
pub const DROP_RATE: Key = Key::new(
    "dropRate",
    "The share of connections to drop.",
    Probability::KIND,
    Optional(|| Probability::NEVER.write()),
);

/// How a connection is dropped.
pub const DROP_MODE: Key =
    Key::new("dropMode", "What a dropped client sees.", DropMode::KIND, Optional(|| DropMode::default().write()));

/// The delay of a connection.
pub const LATENCY: Key = Key::new(
    "latencyMs",
    "The time from the accept of a connection to its first byte forwarded.",
    Millis::KIND,
    Optional(|| Millis::default().write()),
);

/// The limit on dialling.
pub const CONNECT_TIMEOUT: Key = Key::new(
    "connectTimeoutMs",
    "The time that the upstream has to accept a connection.",
    Timeout::KIND,
    Optional(|| Timeout::CONNECT.write()),
);

/// The network that a route imitates.
pub const PROFILE: Key = Key::new(
    "profile",
    "The network to imitate; its toxics come before those of the list.",
    Profile::KIND,
    Otherwise("none"),
);

/// A route's toxics.
pub const TOXICS: Key = Key::new(
    "toxics",
    "Faults inside the stream; bytes pass them in this order.",
    Kind::Nested("a list"),
    Otherwise("none"),
);

/// The changes of routes over time.
pub const SCENARIO: Key = Key::new(
    "scenario",
    "What changes over time; a list of steps, or an object with one.",
    Kind::Nested("a list or an object"),
    Otherwise("nothing changes"),
);

/// The time of a round.
pub const REPEAT: Key = Key::new(
    "repeat",
    "The time after which it begins again.",
    TimeSpan::KIND,
    Required(Some(|| Scalar::Text("60s".to_owned()))),
);

/// The steps of a scenario.
pub const STEPS: Key =
    Key::new("steps", "The list of steps, in the order of their times.", Kind::Nested("a list"), Required(None));

/// When a step is made.
pub const AT: Key = Key::new(
    "at",
    "When it is made, from the start of the scenario; `500ms`, `10s`, `2m` or `1h`.",
    TimeSpan::KIND,
    Required(Some(|| Scalar::Text("10s".to_owned()))),
);

/// The route of a step.
pub const STEP_ROUTE: Key = Key::new(
    "route",
    "The name of the route, or `*` for all of this file.",
    Scope::KIND,
    Optional(|| Scope::All.write()),
);

/// The settings of a step.
pub const SET: Key = Key::new(
    "set",
    "New values of faults, or `original` for all of this file; see below.",
    Kind::Nested("an object"),
    Otherwise("nothing"),
);

/// The duration of a ramp.
pub const RAMP: Key = Key::new(
    "ramp",
    "With `set`; the time in which the numbers move to their new values.",
    TimeSpan::KIND,
    Otherwise("at once"),
);

/// Disables a route.
pub const DOWN: Key = Key::new(
    "down",
    "`true` closes the port and ends the connections, as a service that is down.",
    Kind::Flag,
    Otherwise("nothing"),
);

/// Enables a route.
pub const UP: Key = Key::new("up", "`true` opens the port again.", Kind::Flag, Otherwise("nothing"));

/// Ends connections.
pub const CUT: Key = Key::new(
    "cut",
    "Ends all connections with a FIN or a RST; new ones are accepted.",
    CutMode::KIND,
    Otherwise("nothing"),
);

/// The toxics that a step changes.
pub const SET_TOXICS: Key = Key::new(
    "toxics",
    "An object with the names of toxics that the route has; for each, its `toxicity` and its attributes.",
    Kind::Nested("an object"),
    Otherwise("unchanged"),
);
