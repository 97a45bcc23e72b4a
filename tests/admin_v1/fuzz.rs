//! Any request gets an answer, and none ends the server.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::http_client::Client;
use crate::proxy::Proxy;
use crate::server::{get, serve};

const METHODS: &[&str] = &["GET", "PUT", "POST", "DELETE", "PATCH", "X"];

/// Real paths, some of which take a part that is arbitrary.
const PATHS: &[&str] = &[
    "/v1/connections",
    "/v1/connections/",
    "/v1/routes",
    "/v1/routes/",
    "/v1/config",
    "/v1/seed",
    "/v1/reload",
    "/v1/health",
    "/v1/",
    "/metrics",
    "/proxies",
    "/proxies/",
    "/proxies/a",
    "/proxies/a/toxics",
    "/proxies/a/toxics/",
    "/populate",
    "/reset",
    "/version",
];

/// Bodies that are almost a route, a proxy or a toxic.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let key = select(vec![
        "localPort",
        "listen",
        "upstream",
        "name",
        "bind",
        "toxics",
        "profile",
        "latencyMs",
        "enabled",
        "type",
        "attributes",
        "x",
    ]);
    let value = select(vec![
        "8180",
        "-1",
        "\"a\"",
        "\"127.0.0.1:1\"",
        "\"127.0.0.1:0\"",
        "\"latency\"",
        "null",
        "[{}]",
        "{\"a\":[]}",
        "1e400",
        "\"\\u0000\"",
    ]);
    let entries = vec((key, value), 0..5).prop_map(|entries| {
        let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key:?}: {value}")).collect();
        format!("{{{}}}", entries.join(", ")).into_bytes()
    });
    prop_oneof![vec(any::<u8>(), 0..200), entries]
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

fn status(addr: SocketAddr, method: &str, target: &str, body: &[u8]) -> u16 {
    let mut client = Client::connect(addr);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(body);
    client.head().status
}

#[test]
fn every_request_gets_an_answer() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let query = (select(vec!["route", "reset", "x"]), vec(any::<u8>(), 0..8));
    let requests = (select(METHODS), select(PATHS), vec(any::<u8>(), 0..8), query, body());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&requests, |(method, path, end, (key, value), body)| {
        let target = format!(
            "{path}{}?{key}={}",
            if path.ends_with('/') { encoded(&end) } else { String::new() },
            encoded(&value)
        );
        let status = status(addr, method, &target, &body);
        let known = [200, 201, 204, 400, 404, 405, 409, 500, 501];
        prop_assert!(known.contains(&status), "{} {}: {}", method, target, status);
        Ok(())
    });
    result.unwrap();
    assert_eq!(get(addr, "/v1/health"), "{\"status\":\"ok\"}\n");
}
