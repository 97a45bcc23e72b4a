//! Changes that reach live connections, and connections that are listed and ended.

use std::io::Write;

use serde_json::{Value, json};

use crate::harness::{AT_ONCE, End, OneRoute, PORT, Pair, is_silent, passes, read_exactly, read_to_end};
use crate::proxy::{toxic, toxics};
use crate::server::{ask, get, serve, until};

fn listed(addr: std::net::SocketAddr, target: &str) -> Vec<Value> {
    serde_json::from_str(&get(addr, target)).unwrap()
}

#[test]
fn new_toxics_reach_a_live_connection() {
    let run = OneRoute::new(&[]);
    let addr = serve(&run.proxy);
    let Pair { client, server } = run.pair();
    assert!(passes(&client, &server, b"before"));
    let stalled = run.proxy.route("r", PORT, &toxics(&[toxic("stall", "upstream", "")]));
    assert_eq!(ask(addr, "PUT", "/v1/routes/r", &stalled).status, 200);
    (&client).write_all(b"held").unwrap();
    assert!(is_silent(&server));
    assert_eq!(ask(addr, "PUT", "/v1/routes/r", &run.proxy.route("r", PORT, "")).status, 200);
    assert_eq!(read_exactly(&server, 4), b"held");
}

#[test]
fn a_connection_is_listed_with_what_it_has_done() {
    let run = OneRoute::new(&[toxic("latency", "both", r#""latency": 1"#)]);
    let addr = serve(&run.proxy);
    let pair = run.pair();
    assert!(passes(&pair.client, &pair.server, b"request") && passes(&pair.server, &pair.client, b"answer!!"));
    // A byte is counted after it is sent, so the reader can be first.
    until(|| listed(addr, "/v1/connections")[0]["bytesDown"] == 8);
    let mut connections = listed(addr, "/v1/connections");
    let age = connections[0]["ageMs"].take();
    assert!(age.as_u64().unwrap() < u64::try_from(AT_ONCE.as_millis()).unwrap());
    let client = pair.client.local_addr().unwrap().to_string();
    let expected = json!([{
        "id": 1, "route": "r", "number": 1, "client": client, "upstream": format!("{}:9090", run.proxy.ip),
        "state": "forwarding", "ageMs": null, "bytesUp": 7, "bytesDown": 8, "toxics": ["latency_both"],
    }]);
    assert_eq!(Value::from(connections), expected);
    assert_eq!(listed(addr, "/v1/connections?route=r").len(), 1);
    assert_eq!(listed(addr, "/v1/connections?route=other").len(), 0);
    assert_eq!(listed(addr, "/v1/routes")[0]["bytesDown"], 8);
}

#[test]
fn a_connection_is_closed_or_reset() {
    let run = OneRoute::new(&[]);
    let addr = serve(&run.proxy);
    for (query, is_reset) in [("", false), ("?reset=false", false), ("?reset=true", true)] {
        let pair = run.pair();
        let id = listed(addr, "/v1/connections").last().unwrap()["id"].clone();
        assert_eq!(ask(addr, "DELETE", &format!("/v1/connections/{id}{query}"), "").status, 204);
        for side in [&pair.client, &pair.server] {
            assert_eq!(read_to_end(side) == End::Reset, is_reset, "{query}");
        }
    }
}

#[test]
fn all_connections_of_a_route_are_reset() {
    let run = OneRoute::new(&[]);
    let addr = serve(&run.proxy);
    let pairs = [run.pair(), run.pair()];
    // What a removed route has left is ended too.
    assert_eq!(ask(addr, "DELETE", "/v1/routes/r", "").status, 204);
    assert!(pairs.iter().all(Pair::forwards));
    let answer = ask(addr, "DELETE", "/v1/connections?route=r&reset=true", "");
    assert_eq!((answer.status, answer.text()), (200, "{\"closed\":2}\n"));
    assert!(
        pairs.iter().all(|pair| read_to_end(&pair.client) == End::Reset && read_to_end(&pair.server) == End::Reset)
    );
}
