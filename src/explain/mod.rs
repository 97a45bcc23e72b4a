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
use crate::plan::{DropMode, Plan, Route, RouteState, Upstream};
use crate::toxic::{Conversation, Moment, NEVER, Recorded, Target, Toxic, Toxics};
use crate::value::{Direction, RouteName, ToxicName};
pub use act::{Act, Flip, Loss};

const DIRECTIONS: [Direction; 2] = [Direction::Upstream, Direction::Downstream];

/// What happens to the connections of all routes.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The seed of all draws.
    pub seed: u64,
    /// Where all connections come from, and go.
    pub peers: Peers,
    /// The routes in the order in which they were written.
    pub routes: Vec<RouteOutcome>,
    /// The time of the first step of the scenario, which changes the routes. `NEVER` if there is none.
    pub holds_until: Moment,
}

/// Where connections come from, and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// The address of all clients.
    pub client: IpAddr,
    /// The destination of connections whose route has none of its own.
    pub destination: Option<SocketAddr>,
}

/// What happens to the connections of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteOutcome {
    /// Which route.
    pub name: RouteName,
    /// Where it listens.
    pub listen: String,
    /// Where its connections go.
    pub upstream: Upstream,
    /// Whether a toxic selects connections by their client.
    pub depends_on_client: bool,
    /// Whether a toxic selects connections by their destination, which only a run knows.
    pub depends_on_destination: bool,
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
pub fn explain(plan: &Plan, seed: u64, connections: u64, peers: Peers) -> Explanation {
    let explained = |route| explain_route(route, &Dice::new(seed, &route.name), connections, peers);
    let holds_until = plan.scenario().steps().first().map_or(NEVER, |step| step.at.duration());
    Explanation { seed, peers, routes: plan.routes().iter().map(explained).collect(), holds_until }
}

fn explain_route(route: &Route, dice: &Dice, connections: u64, peers: Peers) -> RouteOutcome {
    let count = match route.state {
        RouteState::Enabled => connections,
        RouteState::Disabled => 0,
    };
    let outcome = |number| ConnectionOutcome { number, fate: fate(route, dice, number, peers) };
    RouteOutcome {
        name: route.name.clone(),
        listen: route.written_listen(),
        upstream: route.upstream,
        depends_on_client: route.toxics.iter().any(|toxic| !toxic.selector.clients.is_empty()),
        depends_on_destination: route.upstream == Upstream::ORIGINAL
            && route.toxics.iter().any(|toxic| !toxic.selector.destinations.is_empty()),
        connections: (1..=count).map(outcome).collect(),
    }
}

fn fate(route: &Route, dice: &Dice, number: u64, Peers { client, destination }: Peers) -> Fate {
    if dice.drop_draw(number, route.drop_rate).hits() {
        return Fate::Dropped { mode: route.drop_mode };
    }
    let (destination, conversation) = (route.upstream.addr().or(destination), Conversation::default());
    let target = Target { number, client, destination, opened: Moment::ZERO, conversation: &conversation };
    let latency = route.latency.duration();
    let of_toxic = |toxic| DIRECTIONS.into_iter().filter_map(move |way| outcome(toxic, dice, &target, way, latency));
    Fate::Forwarded { latency_ms: route.latency.get(), toxics: route.toxics.iter().flat_map(of_toxic).collect() }
}

/// What the toxic does to a stream that is forwarded from `latency` on. `None` if it does not act on it.
fn outcome(
    toxic: &Toxic,
    dice: &Dice,
    target: &Target<'_>,
    stream: Direction,
    latency: Moment,
) -> Option<ToxicOutcome> {
    let alone = Toxics::new(std::slice::from_ref(toxic), dice.clone(), Recorded::Every);
    let (name, toxic_type) = (toxic.name.clone(), toxic.effect.as_str());
    if let Some(trigger) = &toxic.when {
        let is_selected = DIRECTIONS.into_iter().any(|way| alone.chain(target, way, 0).is_some());
        let act = Act::Wait { trigger: trigger.clone() };
        let waits = ToxicOutcome { name, toxic_type, stream, from: Moment::ZERO, until: NEVER, act };
        return (is_selected && toxic.stream.covers(stream)).then_some(waits);
    }
    let chain = alone.chain(target, stream, 0)?;
    let (from, until) = (toxic.selector.window.begins(), toxic.selector.window.ends());
    let act = act::of(&toxic.effect, chain, from.max(latency)..until)?;
    Some(ToxicOutcome { name, toxic_type, stream, from, until, act })
}

impl ToxicOutcome {
    /// Whether it acts from the accept to the end of the connection.
    #[must_use]
    pub fn always_acts(&self) -> bool {
        self.from.is_zero() && self.until == NEVER
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::config::{Defaults, Syntax, parse};
    use crate::value::CloseMode;

    /// Explains the route with these keys, with seed 42.
    const PEERS: Peers = Peers { client: IpAddr::V4(Ipv4Addr::LOCALHOST), destination: None };

    fn explained(keys: &str, connections: u64) -> Explanation {
        let text = format!(r#"[{{"localPort": 8180, "upstream": "10.0.0.1:9090", {keys}}}]"#);
        let parsed = parse("it", &text, Syntax::Json, Defaults::default());
        let plan = parsed.unwrap_or_else(|report| panic!("{report}")).value;
        explain(&plan, 42, connections, PEERS)
    }

    /// What toxics do to the only connection.
    fn acts(keys: &str) -> Vec<Act> {
        match explained(keys, 1).routes.remove(0).connections.remove(0).fate {
            Fate::Forwarded { toxics, .. } => toxics.into_iter().map(|toxic| toxic.act).collect(),
            Fate::Dropped { .. } => panic!("{keys}"),
        }
    }

    fn ms(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    /// The golden numbers of the tests of `dice` and of the toxics.
    #[test]
    fn draws_are_those_of_a_run() {
        let dropped = explained(r#""dropRate": 0.2"#, 30).routes.remove(0).connections;
        let dropped = dropped.iter().filter(|it| matches!(it.fate, Fate::Dropped { .. })).map(|it| it.number);
        assert_eq!(dropped.collect::<Vec<_>>(), [9, 11, 16, 23, 24, 26]);
        let corrupt = r#""toxics": [{"type": "corrupt", "name": "corrupt_0", "attributes": {"rate": 0.1}}]"#;
        let [Act::Flip { bytes }] = &acts(corrupt)[..] else { panic!("no flips") };
        let first: Vec<(u64, u8)> = bytes.iter().take(4).map(|flip| (flip.offset, flip.mask)).collect();
        assert_eq!(first, [(15, 2), (29, 16), (68, 32), (69, 64)]);
    }

    /// Nothing is forwarded before the route's latency: a toxic that stops before has no effect, and one that ends the
    /// connection before does so then.
    #[test]
    fn toxics_act_on_what_is_forwarded() {
        let toxic = |keys: &str| acts(&format!(r#""latencyMs": 100, "toxics": [{{{keys}}}]"#));
        assert_eq!(toxic(r#""type": "stall", "for": 100"#), []);
        assert_eq!(toxic(r#""type": "stall", "for": 101"#), [Act::Hold { until: ms(101) }]);
        assert_eq!(toxic(r#""type": "stall", "attributes": {"duration": 100}"#), []);
        assert_eq!(toxic(r#""type": "reset_peer", "for": 50"#), [Act::EndAt { at: ms(100), mode: CloseMode::Reset }]);
        assert_eq!(toxic(r#""type": "timeout", "for": 100"#), []);
        let timeout = r#""type": "timeout", "after": 200, "for": 50"#;
        assert_eq!(toxic(timeout), [Act::Discard { ends: ms(250) }]);
        assert_eq!(toxic(r#""type": "noop""#), []);
    }

    /// When its trigger comes is decided by the streams.
    #[test]
    fn a_toxic_with_a_trigger_waits() {
        let keys = r#""toxics": [{"type": "reset_peer", "stream": "upstream", "name": "r", "after": 5,
            "when": {"stream": "downstream", "message": 3}}]"#;
        let explanation = explained(keys, 1);
        let text = explanation.to_string();
        assert!(text.contains("up    r  acts before message 3 downstream\n"), "{text}");
        let toxic = &explanation.to_json()["routes"][0]["connections"][0]["toxics"][0];
        assert_eq!(toxic["acts"], "before message 3 downstream");
    }

    #[test]
    fn a_scenario_ends_what_is_explained() {
        let text = r#"{"routes": [{"localPort": 8180, "upstream": "10.0.0.1:9090"}],
            "scenario": [{"at": "1500ms", "route": "8180", "down": true}, {"at": "2s", "route": "8180", "up": true}]}"#;
        let plan =
            parse("it", text, Syntax::Json, Defaults::default()).unwrap_or_else(|report| panic!("{report}")).value;
        let explanation = explain(&plan, 42, 1, PEERS);
        let note = "\nThis holds until the first step of the scenario, 1500 ms after the start.\n";
        assert!(explanation.to_string().ends_with(note), "{explanation}");
        assert_eq!(explanation.to_json()["scenarioFromMs"], 1500.0);
        assert_eq!(explained(r#""enabled": true"#, 1).to_json()["scenarioFromMs"], serde_json::Value::Null);
    }

    #[test]
    fn names_keep_to_their_line_and_columns() {
        let keys = r#""name": "日本語の名前は長いので切られます\u202e", "toxics": [{"type": "limit_time",
            "name": "日本\u202e", "attributes": {"time": 5}}]"#;
        let text = explained(keys, 1).to_string();
        assert!(text.contains("\n日本語の名前は長いので切られま…: "), "{text}");
        assert!(text.contains("down  日本\\u{202e}  ends at 5 ms, FIN\n"), "{text}");
    }

    #[test]
    fn a_disabled_route_has_no_connections() {
        let explanation = explained(r#""enabled": false"#, 3);
        assert_eq!(explanation.routes[0].connections, []);
        assert!(explanation.to_string().contains("10.0.0.1:9090, disabled, refuses connections\n"));
    }

    #[test]
    fn the_text_has_a_line_for_each_connection_and_further_toxic() {
        let toxics = r#""dropRate": 0.5, "latencyMs": 5, "toxics": [
            {"type": "latency", "name": "latency", "connections": "2-4", "attributes": {"latency": 100, "jitter": 20}},
            {"type": "limit_data", "name": "a name that is longer than the column for names", "stream": "upstream",
             "clients": "127.0.0.1", "after": 10, "connections": "4", "attributes": {"bytes": 9}}]"#;
        let expected = "\
seed 42

8180: 127.0.0.1:8180 -> 10.0.0.1:9090, 2 of 4 dropped
    1  dropped, FIN
    2  forwarded after 5 ms
       down  latency                           delays segments by 108, 97.9, 88.2, 95.1, 112.8, … ms
    3  dropped, FIN
    4  forwarded after 5 ms
       down  latency                           delays segments by 103.6, 81.9, 109.9, 99.6, … ms
       up    a name that is longer than the…   from 10 ms: ends after 9 bytes, FIN

Clients connect from 127.0.0.1; --client IP explains another one.
Segments have 1448 bytes, counted from 0. An answer of the other side begins a new one.
";
        let text = explained(toxics, 4).to_string();
        assert_eq!(text, expected);
    }
}
