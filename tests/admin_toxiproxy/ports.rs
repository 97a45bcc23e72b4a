//! Ports that the system chooses, and the forms of `listen`.

use std::net::{SocketAddr, TcpStream};

use chaos_proxy::config::{Defaults, HostNames};

use crate::server::{Toxiproxy, UPSTREAM};

/// The address in the answer.
fn listen(proxy: &str) -> SocketAddr {
    let rest = proxy.split(r#""listen":""#).nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

fn create(server: &Toxiproxy, name: &str, fields: &str) -> SocketAddr {
    let body = format!(r#"{{"name":"{name}","upstream":"IP:9090"{fields}}}"#);
    listen(&server.expect(201, "POST", "/proxies", &body))
}

#[test]
fn port_0_is_a_free_port() {
    let server = Toxiproxy::new();
    let upstream = server.upstream(UPSTREAM);
    let ports: Vec<u16> =
        (0..20).map(|number| create(&server, &format!("p{number}"), r#","listen":"localhost:0""#).port()).collect();
    assert!(ports.iter().enumerate().all(|(at, port)| *port != 0 && !ports[..at].contains(port)));
    drop(TcpStream::connect(("127.0.0.1", ports[7])).unwrap());
    drop(upstream.accept().unwrap());
}

#[test]
fn a_disabled_proxy_has_its_port_already() {
    let server = Toxiproxy::new();
    let addr = create(&server, "off", r#","listen":"127.0.0.1:0","enabled":false"#);
    assert!(addr.port() != 0 && TcpStream::connect(addr).is_err());
    assert_eq!(listen(&server.expect(200, "POST", "/proxies/off", r#"{"enabled":true}"#)), addr);
    drop(TcpStream::connect(addr).unwrap());
}

/// Without an address it listens on all, as `:0` does.
#[test]
fn a_proxy_without_an_address_listens_on_all() {
    let server = Toxiproxy::new();
    for (name, fields) in [
        ("absent", ""),
        ("null", r#","listen":null"#),
        ("empty", r#","listen":"""#),
        ("port", r#","listen":":0""#),
        ("any4", r#","listen":"0.0.0.0:0""#),
        ("any6", r#","listen":"[::]:0""#),
    ] {
        let addr = create(&server, name, fields);
        assert!(addr.ip().is_unspecified(), "{name}: {addr}");
        drop(TcpStream::connect(("127.0.0.1", addr.port())).unwrap());
        if addr.is_ipv6() {
            drop(TcpStream::connect(("::1", addr.port())).unwrap());
        }
    }
}

#[test]
fn port_0_moves_a_proxy_each_time() {
    let (server, upstream) = Toxiproxy::with_db();
    let first = listen(&server.update(r#"{"listen":"127.0.0.1:0"}"#));
    let second = listen(&server.update(r#"{"listen":"127.0.0.1:0"}"#));
    assert!(first != second && TcpStream::connect(first).is_err());
    let entry = r#"[{"name":"db","listen":"127.0.0.1:0","upstream":"IP:9090"}]"#;
    let third = listen(&server.expect(201, "POST", "/populate", entry));
    assert!(third != second && TcpStream::connect(second).is_err());
    drop(TcpStream::connect(third).unwrap());
    drop(upstream.accept().unwrap());
}

/// `localhost` is 127.0.0.1 on both sides.
#[test]
fn localhost_needs_no_lookup() {
    let server = Toxiproxy::new();
    let body = r#"{"name":"l","listen":"localhost:0","upstream":"localhost:9090"}"#;
    let proxy = server.expect(201, "POST", "/proxies", body);
    assert!(proxy.contains(r#""upstream":"127.0.0.1:9090""#) && listen(&proxy).ip().to_string() == "127.0.0.1");
    let same = format!(r#"{{"listen":"LOCALHOST:{}","upstream":":9090"}}"#, listen(&proxy).port());
    assert_eq!(server.expect(200, "POST", "/proxies/l", &same), proxy);
}

/// `.invalid` has no names (RFC 6761).
#[test]
fn host_names_are_looked_up_if_they_may_be() {
    let body = r#"{"name":"l","listen":"localhost:0","upstream":"db.invalid:9090"}"#;
    let error = Toxiproxy::new().expect(400, "POST", "/proxies", body);
    assert!(error.contains("with --resolve it is looked up once"), "{error}");
    let server = Toxiproxy::with(Defaults { host_names: HostNames::Resolved, ..Defaults::default() });
    let error = server.expect(400, "POST", "/proxies", body);
    assert!(error.contains("`db.invalid` can't be resolved"), "{error}");
}
