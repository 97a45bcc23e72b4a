//! Populate and reset, which act on several proxies.

use crate::answers::{JSON, assert_answer};
use crate::server::{Pair, Toxiproxy};

fn proxy(name: &str, port: u16, rest: &str) -> String {
    format!(r#"{{"name":"{name}","listen":"IP:{port}","upstream":"IP:9090"{rest}}}"#)
}

fn printed(name: &str, port: u16, enabled: bool) -> String {
    proxy(name, port, &format!(r#","enabled":{enabled},"Logger":{{}},"toxics":[]"#))
}

#[track_caller]
fn assert_populates(server: &Toxiproxy, status: u16, entries: &[String], content: &str) {
    let body = format!("[{}]", entries.join(","));
    assert_answer(server, ("POST", "/populate", &body), status, JSON, content);
}

fn list(proxies: &[String]) -> String {
    format!(r#"{{"proxies":[{}]}}"#, proxies.join(","))
}

fn failure(error: &str, status: u16, proxies: &[String]) -> String {
    format!(r#"{{"error":"{error}","status":{status},"proxies":[{}]}}"#, proxies.join(","))
}

#[test]
fn populates_proxies_in_their_order() {
    let server = Toxiproxy::new();
    let entries =
        [proxy("b", 1, ""), proxy("a", 2, r#","enabled":false,"toxics":[]"#), proxy("c", 3, r#","enabled":null"#)];
    let printed = [printed("b", 1, true), printed("a", 2, false), printed("c", 3, true)];
    assert_populates(&server, 201, &entries, &list(&printed));
    assert_populates(&server, 201, &[], &list(&[]));
    assert_answer(&server, ("POST", "/populate", "null"), 201, JSON, &list(&[]));
    assert_eq!(server.expect(200, "GET", "/proxies", "").matches("\"name\"").count(), 3);
}

#[test]
fn nothing_is_made_of_an_invalid_list() {
    let server = Toxiproxy::new();
    let valid = proxy("a", 1, "");
    for (second, error) in [
        ("{}", "missing required field: name at proxy 2"),
        ("null", "missing required field: name at proxy 2"),
        (r#"{"name":"b"}"#, "missing required field: upstream at proxy 2"),
        ("5", "bad request body: proxy 2: it is a number; write an object"),
        (r#"{"name":"b","upstream":5}"#, "bad request body: proxy 2: upstream is a number; write text"),
    ] {
        assert_populates(&server, 400, &[valid.clone(), second.to_owned()], &failure(error, 400, &[]));
    }
    assert_answer(&server, ("POST", "/populate", ""), 400, JSON, &failure("bad request body: EOF", 400, &[]));
    let error = failure("bad request body: the body is an object; write a list", 400, &[]);
    assert_answer(&server, ("POST", "/populate", "{}"), 400, JSON, &error);
    assert_eq!(server.expect(200, "GET", "/proxies", ""), "{}");
}

#[test]
fn the_first_runtime_error_aborts() {
    let (server, _upstream) = Toxiproxy::with_db();
    server.expect(201, "POST", "/proxies", &proxy("moved", 5, ""));
    let entries = [proxy("a", 1, ""), proxy("moved", 8180, ""), proxy("b", 2, "")];
    let error = failure("listen tcp IP:8180: bind: address already in use", 500, &[printed("a", 1, true)]);
    assert_populates(&server, 500, &entries, &error);
    assert_eq!(server.expect(200, "GET", "/proxies/moved", ""), printed("moved", 5, false));
    assert!(server.refuses(5));
    server.expect(404, "GET", "/proxies/b", "");
}

#[test]
fn an_existing_proxy_is_left_alone() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(8180, &upstream);
    server.add_toxic(r#"{"type":"noop"}"#);
    let before = server.db();
    let entry = proxy("db", 8180, r#","enabled":false"#);
    assert_populates(&server, 201, &[entry], &list(std::slice::from_ref(&before)));
    assert!(pair.forwards());
    assert_eq!(server.db(), before);
    server.update(r#"{"enabled":false}"#);
    let entry = proxy("db", 8180, r#","enabled":true,"toxics":[]"#);
    assert_populates(&server, 201, &[entry], &list(&[before.replace("\"enabled\":true", "\"enabled\":false")]));
}

#[test]
fn a_proxy_with_another_address_is_replaced() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(8180, &upstream);
    server.add_toxic(r#"{"type":"noop"}"#);
    assert_populates(&server, 201, &[proxy("db", 8181, "")], &list(&[printed("db", 8181, true)]));
    assert!(pair.is_closed() && server.refuses(8180));
    assert!(server.pair(8181, &upstream).forwards());
}

#[test]
fn a_list_can_have_toxics() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(8180, &upstream);
    let toxics = |kind| format!(r#","toxics":[{{"type":"{kind}"}}]"#);
    for (name, port) in [("db", 8180), ("new", 8181)] {
        let body = format!("[{}]", proxy(name, port, &toxics("bandwidth")));
        assert!(server.expect(201, "POST", "/populate", &body).contains("bandwidth_downstream"));
    }
    server.expect(400, "POST", "/populate", &format!("[{}]", proxy("db", 8180, &toxics("x"))));
    let twice = r#","toxics":[{"type":"noop"},{"type":"noop"}]"#;
    server.expect(409, "POST", "/proxies", &proxy("x", 8182, twice));
    server.expect(201, "POST", "/populate", &format!("[{}]", proxy("db", 8180, &toxics("noop"))));
    assert!(pair.forwards() && server.db().contains("noop_downstream"));
}

#[test]
fn reset_enables_all_and_removes_toxics() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(8180, &upstream);
    server.expect(201, "POST", "/proxies", &proxy("off", 8181, r#","enabled":false,"toxics":[{"type":"noop"}]"#));
    server.add_toxic(r#"{"type":"bandwidth"}"#);
    server.expect(204, "POST", "/reset", "");
    assert!(pair.forwards());
    let all = format!(r#"{{"db":{},"off":{}}}"#, printed("db", 8180, true), printed("off", 8181, true));
    assert_eq!(server.expect(200, "GET", "/proxies", ""), all);
    assert!(server.pair(8181, &upstream).forwards());
}

#[test]
fn reset_stops_at_a_port_in_use() {
    let server = Toxiproxy::new();
    server.expect(201, "POST", "/proxies", &proxy("off", 8181, r#","enabled":false,"toxics":[{"type":"noop"}]"#));
    let _taken = server.upstream(8181);
    assert!(server.expect(500, "POST", "/reset", "").contains("IP:8181: bind: address already in use"));
    assert!(server.expect(200, "GET", "/proxies/off", "").contains("noop"));
}

/// Closes with what a `timeout` has discarded: a stream can't go on after a gap.
#[test]
fn reset_closes_connections_with_a_gap() {
    let (server, upstream) = Toxiproxy::with_db();
    let Pair { client, server: peer } = server.pair(8180, &upstream);
    let (lossy, whole) = (Pair { client, server: peer }, server.pair(8180, &upstream));
    server.add_toxic(r#"{"type":"timeout","stream":"upstream"}"#);
    std::io::Write::write_all(&mut &lossy.client, b"lost").unwrap();
    assert!(crate::server::is_silent(&lossy.server));
    server.expect(204, "POST", "/reset", "");
    assert!(lossy.is_closed() && whole.forwards());
}
