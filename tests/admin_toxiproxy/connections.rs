//! What changes of a proxy do to its port and its connections.

use crate::server::{PORT, Pair, Toxiproxy, UPSTREAM};

#[test]
fn disable_refuses_and_closes_and_enable_binds_again() {
    let (server, upstream) = Toxiproxy::with_db();
    let pairs = [server.pair(PORT, &upstream), server.pair(PORT, &upstream)];
    assert!(pairs.iter().all(Pair::forwards));
    server.add_toxic(r#"{"type":"noop"}"#);
    server.update(r#"{"enabled":false}"#);
    assert!(server.refuses(PORT) && pairs.iter().all(Pair::is_closed));
    server.update(r#"{"enabled":true}"#);
    assert!(server.pair(PORT, &upstream).forwards() && server.db().contains("noop"));
}

#[test]
fn enable_fails_while_the_port_is_in_use() {
    let (server, upstream) = Toxiproxy::with_db();
    server.update(r#"{"enabled":false}"#);
    let taken = server.upstream(PORT);
    let text = server.expect(500, "POST", "/proxies/db", r#"{"enabled":true}"#);
    assert_eq!(text, "{\"error\":\"listen tcp IP:8180: bind: address already in use\",\"status\":500}\n");
    assert!(server.db().contains(r#""enabled":false"#));
    drop(taken);
    server.update(r#"{"enabled":true}"#);
    assert!(server.pair(PORT, &upstream).forwards());
}

#[test]
fn delete_closes_everything_and_forgets_it() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    server.expect(204, "DELETE", "/proxies/db", "");
    assert!(server.refuses(PORT) && pair.is_closed());
    assert_eq!(server.expect(200, "GET", "/proxies", ""), "{}");
    server.create("db", PORT, UPSTREAM);
    assert!(server.pair(PORT, &upstream).forwards());
}

#[test]
fn an_update_moves_the_proxy_and_keeps_its_toxics() {
    let (server, old) = Toxiproxy::with_db();
    let new = server.upstream(9091);
    server.add_toxic(r#"{"type":"noop"}"#);
    let first = server.pair(PORT, &old);
    server.update(r#"{"upstream":"IP:9091"}"#);
    let second = server.pair(PORT, &new);
    assert!(first.is_closed() && second.forwards());
    server.update(r#"{"listen":"IP:8181"}"#);
    assert!(second.is_closed() && server.refuses(PORT) && server.pair(8181, &new).forwards());
    assert!(server.db().contains("noop"));
}

#[test]
fn an_update_without_a_change_keeps_connections() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    let whole = server.db();
    assert_eq!(server.update(&whole), whole);
    assert!(pair.forwards());
}

#[test]
fn a_failed_update_leaves_the_proxy_disabled_with_its_new_address() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    let taken = server.upstream(8181);
    server.expect(500, "POST", "/proxies/db", r#"{"listen":"IP:8181"}"#);
    assert!(pair.is_closed() && server.refuses(PORT));
    assert!(server.db().contains(r#""listen":"IP:8181","upstream":"IP:9090","enabled":false"#));
    drop(taken);
    server.update(r#"{"enabled":true}"#);
    assert!(server.pair(8181, &upstream).forwards());
}

/// A disabled proxy moves too, and keeps its state.
#[test]
fn a_disabled_proxy_moves() {
    let (server, upstream) = Toxiproxy::with_db();
    server.update(r#"{"enabled":false}"#);
    server.update(r#"{"listen":"IP:8181"}"#);
    assert!(server.refuses(PORT) && server.refuses(8181));
    server.update(r#"{"listen":"IP:8182","enabled":true}"#);
    assert!(server.pair(8182, &upstream).forwards());
}
