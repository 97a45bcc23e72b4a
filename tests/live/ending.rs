//! Connections that are ended from outside, one by one or with their route, and what can be seen of them until then.

use std::io::Write;
use std::thread;
use std::time::Instant;

use chaos_proxy::event::{CloseReason, Origin};
use chaos_proxy::proxy::{ConnectionStatus, RouteStatus};
use chaos_proxy::value::CloseMode;

use crate::harness::{
    AT_ONCE, End, HOUR, MUCH, OneRoute, PORT, Pair, TIMEOUT, accept, connect, fill, read_to_end, refuses,
};
use crate::proxy::{toxic, toxics};

/// Each kind of wait in which a connection can be while it is ended.
fn stuck(run: &OneRoute) -> Vec<(&'static str, Pair)> {
    let idle = run.pair();
    assert!(idle.forwards());
    let full = run.pair();
    fill_both(&full);
    run.set(&[toxic("latency", "both", &format!(r#""latency": {HOUR}"#))]);
    let held = run.pair();
    (&held.client).write_all(b"held").unwrap();
    (&held.server).write_all(b"held").unwrap();
    run.set(&[toxic("bandwidth", "both", r#""rate": 0"#)]);
    let stalled = run.pair();
    fill_both(&stalled);
    vec![("idle", idle), ("full", full), ("held", held), ("stalled", stalled)]
}

/// Waits until `condition` holds.
#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let due = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < due, "it does not come about");
        thread::yield_now();
    }
}

fn fill_both(pair: &Pair) {
    let bytes = vec![7; MUCH];
    fill(&pair.client, &bytes);
    fill(&pair.server, &bytes);
}

fn only_route(run: &OneRoute) -> RouteStatus {
    run.proxy.supervisor.routes().remove(0)
}

fn connections(run: &OneRoute) -> Vec<ConnectionStatus> {
    run.proxy.supervisor.connections()
}

#[test]
fn disabling_a_route_ends_its_connections_whatever_they_wait_for() {
    let run = OneRoute::new(&[]);
    let stuck = stuck(&run);
    let began = Instant::now();
    let changes = run.proxy.try_apply(&[run.proxy.route("r", PORT, r#""enabled": false"#)]).unwrap();
    assert_eq!(changes[0].connections, stuck.len());
    assert!(began.elapsed() < AT_ONCE && refuses(&run.proxy, PORT));
    until(|| connections(&run).is_empty());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(only_route(&run).closed[&CloseReason::RouteClosed], stuck.len() as u64);
    run.set(&[]);
    assert!(run.pair().forwards());
}

#[test]
fn a_connection_is_closed_or_reset_by_its_id() {
    let run = OneRoute::new(&[]);
    for (mode, reset) in [(CloseMode::Close, false), (CloseMode::Reset, true)] {
        let (ended, other) = (run.pair(), run.pair());
        assert!(ended.forwards() && other.forwards());
        let id = connections(&run)[0].id;
        assert!(run.proxy.supervisor.end_connection(Origin::SigHup, id, mode));
        for side in [&ended.client, &ended.server] {
            assert_eq!(matches!(read_to_end(side), End::Reset), reset);
        }
        until(|| connections(&run).len() == 1);
        assert!(!run.proxy.supervisor.end_connection(Origin::SigHup, id, mode));
        assert!(other.forwards());
        let route = connections(&run)[0].subject.route.name.clone();
        assert_eq!(run.proxy.supervisor.end_connections(Origin::SigHup, &route, mode), 1);
        until(|| connections(&run).is_empty());
    }
}

#[test]
fn a_connection_that_is_closed_gets_all_that_was_sent_to_it() {
    let run = OneRoute::new(&[]);
    let pair = run.pair();
    (&pair.server).write_all(&vec![7; 100_000]).unwrap();
    until(|| connections(&run)[0].bytes_down == 100_000);
    assert!(run.proxy.supervisor.end_connection(Origin::SigHup, connections(&run)[0].id, CloseMode::Close));
    assert_eq!(read_to_end(&pair.client), End::Fin(vec![7; 100_000]));
}

#[test]
fn a_connection_that_waits_for_its_upstream_or_its_latency_is_ended_too() {
    let hour = format!(r#""latencyMs": {HOUR}"#);
    for (keys, state) in [(hour.as_str(), "delayed"), (r#""dropRate": 1, "dropMode": "hang""#, "held")] {
        let run = OneRoute::new(&[]);
        run.proxy.apply(&[run.proxy.route("r", PORT, keys)]);
        let client = connect(&run.proxy, PORT);
        until(|| connections(&run).first().is_some_and(|connection| connection.phase.as_str() == state));
        assert!(run.proxy.supervisor.end_connection(Origin::SigHup, connections(&run)[0].id, CloseMode::Close));
        assert_eq!(read_to_end(&client), End::Fin(Vec::new()), "{state}");
        until(|| connections(&run).is_empty());
    }
}

#[test]
fn counters_go_on_after_a_connection_has_ended_and_its_route_was_removed() {
    let run = OneRoute::new(&[toxic("latency", "downstream", r#""latency": 1"#)]);
    for round in 1..=2 {
        let pair = run.pair();
        assert!(pair.forwards());
        let live = only_route(&run);
        assert_eq!((live.accepted, live.active), (round, 1));
        drop(pair);
        until(|| only_route(&run).active == 0);
        let RouteStatus { totals, closed, durations, dials, .. } = only_route(&run);
        assert_eq!((totals.up.sent, totals.down.received, totals.down.sent), (7 * round, 5 * round, 5 * round));
        assert_eq!((totals.faults.values().sum::<u64>(), closed.values().sum::<u64>()), (round, round));
        assert_eq!((durations.count(), dials.count()), (round, round));
        run.proxy.apply(&[run.proxy.route("other", PORT, "")]);
        run.proxy.apply(&[run.proxy.route("r", PORT, &toxics(&[toxic("latency", "downstream", r#""latency": 1"#)]))]);
    }
}

#[test]
fn lists_the_toxics_that_act_now() {
    let run = OneRoute::new(&[
        toxic("latency", "both", r#""latency": 1"#),
        toxic("slicer", "upstream", r#""average_size": 9"#),
    ]);
    let pair = run.pair();
    assert!(pair.forwards());
    let names = || connections(&run)[0].toxics.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut acting = names();
    acting.sort();
    assert_eq!(acting, ["latency_both", "slicer_upstream"]);
    run.set(&[]);
    assert!(pair.forwards());
    until(|| names().is_empty());
}

#[test]
fn counts_drops_and_failed_dials() {
    let run = OneRoute::new(&[]);
    run.proxy.apply(&[run.proxy.route("r", PORT, r#""dropRate": 1"#)]);
    assert_eq!(read_to_end(&connect(&run.proxy, PORT)), End::Fin(Vec::new()));
    until(|| only_route(&run).dropped == 1);
    run.proxy.apply(&[run.proxy.route_to(1, "r", PORT, "")]);
    drop(read_to_end(&connect(&run.proxy, PORT)));
    until(|| only_route(&run).failed_dials == 1);
    run.set(&[]);
    let client = connect(&run.proxy, PORT);
    drop(accept(&run.upstream));
    drop(client);
}

/// The connections that it has left follow its new toxics, although the listener that accepted them is gone.
#[test]
fn a_route_that_is_added_again_has_the_connections_that_it_has_left() {
    let run = OneRoute::new(&[]);
    let pair = run.pair();
    assert!(pair.forwards());
    run.proxy.apply(&[run.proxy.route("other", PORT + 1, "")]);
    assert!(pair.forwards() && refuses(&run.proxy, PORT));
    run.set(&[toxic("limit_data", "upstream", r#""bytes": 3"#)]);
    until(|| connections(&run)[0].toxics.len() == 1);
    (&pair.client).write_all(b"abcd").unwrap();
    assert_eq!(read_to_end(&pair.server), End::Fin(b"abc".to_vec()));
}

/// A toxic of another type under the same name is another toxic.
#[test]
fn acts_are_counted_by_the_name_and_the_type_of_a_toxic() {
    let named = |kind: &str, attributes: &str| {
        format!(r#"{{"type": "{kind}", "name": "t", "stream": "upstream", "attributes": {{{attributes}}}}}"#)
    };
    let run = OneRoute::new(&[named("latency", r#""latency": 1"#)]);
    let pair = run.pair();
    assert!(pair.forwards());
    run.set(&[named("slicer", r#""average_size": 3"#)]);
    assert!(pair.forwards());
    run.set(&[]);
    assert!(pair.forwards());
    let types = || only_route(&run).totals.faults.keys().map(|(_, kind)| *kind).collect::<Vec<_>>();
    assert_eq!(types(), ["latency", "slicer"]);
    drop(pair);
    until(|| only_route(&run).active == 0);
    assert_eq!(types(), ["latency", "slicer"]);
}
