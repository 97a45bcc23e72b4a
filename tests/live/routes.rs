//! What a plan changes about routes and their listeners, and what it leaves alone.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::thread;

use chaos_proxy::event::Origin;
use chaos_proxy::limits::Cap;
use chaos_proxy::plan::Plan;
use chaos_proxy::proxy::{AppliedChange, ApplyError};

use crate::harness::{
    End, OneRoute, PORT, Pair, accept, at_once, connect, is_silent, pair, read_exactly, read_to_end, refuses,
    serve_echo, upstream,
};
use crate::proxy::{CAP, Proxy, UPSTREAM, toxic, toxics};

const OTHER_PORT: u16 = 8181;
const OTHER_UPSTREAM: u16 = 9091;

#[track_caller]
fn assert_ends_in_order(pair: &Pair) {
    pair.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&pair.server), End::Fin(Vec::new()));
    (&pair.server).write_all(b"reply").unwrap();
    pair.server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&pair.client), End::Fin(b"reply".to_vec()));
}

#[track_caller]
fn assert_not_bound(result: Result<Vec<AppliedChange>, ApplyError>, name: &str) {
    match result {
        Err(ApplyError::Bind(failed)) => assert_eq!(failed[0].0.name.as_str(), name),
        other => panic!("{other:?}"),
    }
}

/// A listener that were replaced would refuse some of the connections that are made all the time.
#[test]
fn leaves_unchanged_route_alone() {
    let proxy = Proxy::new();
    let upstream = upstream(&proxy, UPSTREAM);
    let kept = proxy.route("kept", PORT, "");
    proxy.apply(std::slice::from_ref(&kept));
    let live = pair(&proxy, PORT, &upstream);
    thread::scope(|scope| {
        let clients = scope.spawn(|| (0..100).all(|_| pair(&proxy, PORT, &upstream).forwards()));
        while !clients.is_finished() {
            proxy.apply(&[proxy.route("new", OTHER_PORT, ""), kept.clone()]);
            proxy.apply(std::slice::from_ref(&kept));
        }
        assert!(clients.join().unwrap());
    });
    assert!(refuses(&proxy, OTHER_PORT) && live.forwards());
    assert_ends_in_order(&live);
}

#[test]
fn adjusts_route_under_its_connections() {
    let run = OneRoute::new(&[]);
    let live = run.pair();
    assert!(live.forwards());
    for keys in [r#""dropRate": 1.0"#, r#""latencyMs": 1"#, r#""connectTimeoutMs": 9999"#] {
        run.proxy.apply(&[run.proxy.route("r", PORT, keys)]);
        assert!(live.forwards(), "{keys}");
    }
    run.proxy.apply(&[run.proxy.route("r", PORT, r#""dropRate": 1.0"#)]);
    assert_eq!(read_to_end(&connect(&run.proxy, PORT)), End::Fin(Vec::new()));
    run.set(&[toxic("limit_data", "upstream", r#""bytes": 3"#)]);
    (&live.client).write_all(b"abcd").unwrap();
    assert_eq!(read_to_end(&live.server), End::Fin(b"abc".to_vec()));
}

#[test]
fn restarted_route_keeps_its_old_connections() {
    let proxy = Proxy::new();
    let (old, new) = (upstream(&proxy, UPSTREAM), upstream(&proxy, OTHER_UPSTREAM));
    proxy.apply(&[proxy.route("r", PORT, "")]);
    let first = pair(&proxy, PORT, &old);
    proxy.apply(&[proxy.route_to(OTHER_UPSTREAM, "r", PORT, "")]);
    let second = pair(&proxy, PORT, &new);
    proxy.apply(&[proxy.route_to(OTHER_UPSTREAM, "r", OTHER_PORT, "")]);
    let third = pair(&proxy, OTHER_PORT, &new);
    assert!(refuses(&proxy, PORT));
    for live in [&first, &second, &third] {
        assert!(live.forwards());
        assert_ends_in_order(live);
    }
}

/// The toxics are those of the route, whichever listener has accepted the connection.
#[test]
fn toxics_reach_connections_from_before_a_restart() {
    let run = OneRoute::new(&[toxic("stall", "upstream", "")]);
    let live = run.pair();
    (&live.client).write_all(b"held").unwrap();
    assert!(is_silent(&live.server));
    run.proxy.apply(&[run.proxy.route("r", OTHER_PORT, "")]);
    at_once(|| assert_eq!(read_exactly(&live.server, 4), b"held"));
    run.proxy.apply(&[run.proxy.route("r", OTHER_PORT, &toxics(&[toxic("limit_time", "both", r#""time": 0"#)]))]);
    at_once(|| assert_eq!(read_to_end(&live.server), End::Fin(Vec::new())));
}

#[test]
fn removed_route_refuses_new_connections_and_finishes_live_ones() {
    let run = OneRoute::new(&[]);
    let live = run.pair();
    run.proxy.apply(&[run.proxy.route("other", OTHER_PORT, "")]);
    assert!(refuses(&run.proxy, PORT) && live.forwards());
    assert_ends_in_order(&live);
}

#[test]
fn routes_swap_ports() {
    let proxy = Proxy::new();
    let (one, other) = (upstream(&proxy, UPSTREAM), upstream(&proxy, OTHER_UPSTREAM));
    let plan =
        |port, other_port| [proxy.route("one", port, ""), proxy.route_to(OTHER_UPSTREAM, "other", other_port, "")];
    proxy.apply(&plan(PORT, OTHER_PORT));
    let before = [pair(&proxy, PORT, &one), pair(&proxy, OTHER_PORT, &other)];
    proxy.apply(&plan(OTHER_PORT, PORT));
    let after = [pair(&proxy, OTHER_PORT, &one), pair(&proxy, PORT, &other)];
    assert!(before.iter().chain(&after).all(Pair::forwards));
}

/// Every kind of change beside it is left undone.
#[test]
fn port_in_use_changes_nothing() {
    let proxy = Proxy::new();
    let upstream = upstream(&proxy, UPSTREAM);
    let _holder = TcpListener::bind((proxy.ip, 8189)).unwrap();
    let present = ["adjusted", "removed", "moved"].into_iter().zip(PORT..);
    proxy.apply(&present.map(|(name, port)| proxy.route(name, port, "")).collect::<Vec<_>>());
    let live: Vec<Pair> = (PORT..PORT + 3).map(|port| pair(&proxy, port, &upstream)).collect();
    let stall = toxics(&[toxic("stall", "both", "")]);
    assert_not_bound(
        proxy.try_apply(&[
            proxy.route("adjusted", PORT, &stall),
            proxy.route("moved", 8188, ""),
            proxy.route("new", 8187, ""),
            proxy.route("unlucky", 8189, ""),
        ]),
        "unlucky",
    );
    assert!(refuses(&proxy, 8188) && refuses(&proxy, 8187));
    assert!(live.iter().all(Pair::forwards));
    assert!((PORT..PORT + 3).all(|port| pair(&proxy, port, &upstream).forwards()));
}

/// The port of a takeover is only known to be in use once its present route has stopped.
#[test]
fn failed_takeover_changes_no_other_route() {
    let proxy = Proxy::new();
    let upstream = upstream(&proxy, UPSTREAM);
    let _holder = TcpListener::bind(("127.0.0.1", 8186)).unwrap();
    let present = ["adjusted", "removed", "moved"].into_iter().zip(PORT..);
    let mut routes: Vec<String> = present.map(|(name, port)| proxy.route(name, port, "")).collect();
    routes.push(proxy.route("taken", 8186, ""));
    proxy.apply(&routes);
    let live: Vec<Pair> = (PORT..PORT + 3).map(|port| pair(&proxy, port, &upstream)).collect();
    let stall = toxics(&[toxic("stall", "both", "")]);
    assert_not_bound(
        proxy.try_apply(&[
            proxy.route("adjusted", PORT, &stall),
            proxy.route("moved", 8188, ""),
            proxy.route("new", 8187, ""),
            proxy.route("taken", 8186, r#""bind": "0.0.0.0""#),
        ]),
        "taken",
    );
    assert!(refuses(&proxy, 8188) && refuses(&proxy, 8187));
    assert!(live.iter().all(Pair::forwards));
    assert!((PORT..PORT + 3).all(|port| pair(&proxy, port, &upstream).forwards()));
}

/// The draws of `dropRate` and the connections that a selector names, over three listeners, are those of one.
#[test]
fn connection_numbers_go_on_across_restart_and_return() {
    let third =
        toxics(&[r#"{"type": "limit_data", "stream": "upstream", "connections": "*/3", "attributes": {"bytes": 0}}"#
            .to_owned()]);
    let keys = format!(r#""dropRate": 0.4, "dropMode": "reset", {third}"#);
    let outcomes = |ports: [u16; 4]| -> Vec<Outcome> {
        let proxy = Proxy::new();
        serve_echo(upstream(&proxy, UPSTREAM));
        let away = [proxy.route("other", 8189, "")];
        let of_port = |port| {
            if port == 0 {
                proxy.apply(&away);
                return Vec::new();
            }
            proxy.apply(&[proxy.route("r", port, &keys)]);
            (0..8).map(|_| outcome(&proxy, port)).collect()
        };
        ports.into_iter().flat_map(of_port).collect()
    };
    let of_one = outcomes([PORT, PORT, PORT, 0]);
    assert_eq!(of_one, outcomes([PORT, OTHER_PORT, 0, PORT]));
    for outcome in [Outcome::Dropped, Outcome::Limited, Outcome::Forwarded] {
        assert!(of_one.contains(&outcome), "{of_one:?}");
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Dropped,
    Limited,
    Forwarded,
}

/// What becomes of one more connection.
fn outcome(proxy: &Proxy, port: u16) -> Outcome {
    let Ok(client) = TcpStream::connect((proxy.ip, port)) else { return Outcome::Dropped };
    // A reset is reported once, by whichever call comes first after it.
    if (&client).write_all(b"x").and_then(|()| client.shutdown(Shutdown::Write)).is_err() {
        return Outcome::Dropped;
    }
    match read_to_end(&client) {
        End::Reset => Outcome::Dropped,
        End::Fin(bytes) if bytes.is_empty() => Outcome::Limited,
        End::Fin(_) => Outcome::Forwarded,
    }
}

/// Clients that come while a plan takes their port over are served by the old route or the new one, or refused.
#[test]
fn no_connection_meets_a_half_made_route() {
    let proxy = Proxy::new();
    let (one, other) = (upstream(&proxy, UPSTREAM), upstream(&proxy, OTHER_UPSTREAM));
    proxy.apply(&[proxy.route("r", PORT, "")]);
    for round in 0..20 {
        let (upstream, port) = if round % 2 == 0 { (&other, OTHER_UPSTREAM) } else { (&one, UPSTREAM) };
        let stall = toxics(&[toxic("stall", "upstream", "")]);
        proxy.apply(&[proxy.route_to(port, "r", PORT, if round % 3 == 0 { &stall } else { "" })]);
        let client = connect(&proxy, PORT);
        let server = accept(upstream);
        (&client).write_all(b"x").unwrap();
        assert_eq!(round % 3 == 0, is_silent(&server));
    }
}

/// With one permit for both routes, the first would take it, and wait for the second in vain.
#[test]
fn routes_that_feed_each_other_do_not_share_permits_after_a_start_without_routes() {
    let proxy = Proxy::with(Cap { connections: NonZeroUsize::MIN, ..CAP });
    let upstream = upstream(&proxy, UPSTREAM);
    proxy.supervisor.apply(&Plan::default(), Origin::Start).unwrap();
    proxy.apply(&[proxy.route_to(OTHER_PORT, "first", PORT, ""), proxy.route("second", OTHER_PORT, "")]);
    assert!(pair(&proxy, PORT, &upstream).forwards());
}
