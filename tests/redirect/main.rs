//! Connections that are redirected to the proxy by the rules that it prints, between network namespaces. They need root, and
//! are skipped without.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "yaml")]
mod kubernetes;
mod network;
mod proxy;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use network::{Network, client_ip, router_ip, server_v4, server_v6};
use proxy::Proxy;

/// The user of the proxy, if it needs no privileges.
const NOBODY: u32 = 65534;

const LATE: Duration = Duration::from_millis(200);

/// Slow for one of the two ports of the server.
const ROUTE: &str = r#""upstream": "original", "toxics": [
    { "type": "latency", "name": "slow", "stream": "upstream", "attributes": { "latency": 200 }, "destinations": [":7000"] },
    { "type": "noop", "name": "other", "destinations": [":7001"] } ]"#;

/// What the server answers: the address that it sees.
fn ask(client: &mut TcpStream) -> (SocketAddr, Duration) {
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let began = Instant::now();
    client.write_all(b"?").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    (answer.parse().unwrap(), began.elapsed())
}

#[test]
fn programs_of_the_same_machine_are_redirected() {
    let Some(network) = Network::new() else { return };
    for firewall in ["nft", "iptables"] {
        let proxy = Proxy::start(&network, "::", ROUTE, Some(NOBODY));
        let script = proxy.script(firewall, "65534");
        network.router.run_script(&script, &[]);
        for server in [server_v4(7000), server_v6(7000)] {
            let (seen, took) = ask(&mut network.router.connect(server));
            assert!(took >= LATE, "{firewall} {server}: {took:?}");
            proxy.wait_for(&["upstream connected", &format!("upstream={server}")]);
            proxy.wait_for(&["fault injected", "toxic=slow"]);
            assert_eq!(seen.ip(), router_ip(server), "{firewall}");
        }
        let other = server_v4(7001);
        assert!(ask(&mut network.router.connect(other)).1 < LATE);
        proxy.wait_for(&["upstream connected", &format!("upstream={other}")]);
        network.router.run_script(&script, &["remove"]);
        let before = proxy.accepted();
        assert!(ask(&mut network.router.connect(server_v4(7000))).1 < LATE);
        assert_eq!(proxy.accepted(), before, "{firewall}: it still gets connections");
    }
}

#[test]
fn connections_of_other_machines_are_redirected() {
    let Some(network) = Network::new() else { return };
    for firewall in ["nft", "iptables"] {
        let proxy = Proxy::start(&network, "::", ROUTE, Some(NOBODY));
        let script = proxy.script(firewall, "65534");
        network.router.run_script(&script, &[]);
        for server in [server_v4(7000), server_v6(7000)] {
            let (seen, took) = ask(&mut network.client.connect(server));
            assert!(took >= LATE, "{firewall} {server}: {took:?}");
            assert_eq!(seen.ip(), router_ip(server), "{firewall}");
            proxy.wait_for(&["connection opened", &client_ip(server).to_string()]);
        }
        network.router.run_script(&script, &["remove"]);
        let (seen, took) = ask(&mut network.client.connect(server_v4(7000)));
        assert!(took < LATE && seen.ip() == client_ip(server_v4(7000)), "{firewall}: {seen} {took:?}");
    }
}

#[test]
fn the_server_sees_the_client_through_a_transparent_route() {
    let Some(network) = Network::new() else { return };
    for firewall in ["nft", "iptables"] {
        let proxy = Proxy::start(&network, "::", &format!("\"transparent\": true, {ROUTE}"), None);
        let script = proxy.script(firewall, "65534");
        network.router.run_script(&script, &[]);
        for server in [server_v4(7000), server_v6(7000)] {
            let (seen, took) = ask(&mut network.client.connect(server));
            assert!(took >= LATE, "{firewall} {server}: {took:?}");
            assert_eq!(seen.ip(), client_ip(server), "{firewall}");
            proxy.wait_for(&["upstream connected", &format!("upstream={server}")]);
        }
        network.router.run_script(&script, &["remove"]);
        assert!(ask(&mut network.client.connect(server_v4(7000))).1 < LATE);
    }
}

#[test]
fn a_transparent_route_needs_privileges() {
    let Some(network) = Network::new() else { return };
    let errors = Proxy::failed(&network, "::", "\"transparent\": true, \"upstream\": \"original\"", NOBODY);
    assert!(errors.contains("`transparent` needs root or CAP_NET_ADMIN"), "{errors}");
}

/// It would be forwarded to the port that it has arrived on.
#[test]
fn a_connection_that_was_not_redirected_is_refused() {
    let Some(network) = Network::new() else { return };
    for (keys, user) in [("", Some(NOBODY)), ("\"transparent\": true, ", None)] {
        let proxy = Proxy::start(&network, "::", &format!("{keys}{ROUTE}"), user);
        let script = proxy.script("nft", "65534");
        network.router.run_script(&script, &[]);
        for server in [server_v4(0), server_v6(0)] {
            let mut client = network.router.connect((router_ip(server), 8180).into());
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset, "{keys}");
        }
        proxy.wait_for(&["connection refused", "the client has connected to this port itself", "--print-redirect"]);
        proxy.wait_for(&["connection closed", "why=\"not redirected\""]);
        network.router.run_script(&script, &["remove"]);
    }
}

/// The rules leave the connections of another user alone, so those of the proxy come back to it.
#[test]
fn a_connection_of_the_proxy_itself_is_refused() {
    let Some(network) = Network::new() else { return };
    for server in [server_v4(7000), server_v6(7000)] {
        let proxy = Proxy::start(&network, "::", "\"upstream\": \"original\"", Some(NOBODY));
        let script = proxy.script("nft", "12345");
        network.router.run_script(&script, &[]);
        let mut client = network.router.connect(server);
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(!matches!(client.read(&mut [0]), Ok(1..)), "{server}");
        proxy.wait_for(&["connection refused", "the proxy has opened this connection itself"]);
        assert_eq!(proxy.accepted(), 2, "{server}: once from the client, once from the proxy");
        network.router.run_script(&script, &["remove"]);
    }
}

/// A source port can lead to several destinations, as without the proxy. There are 16 here, and 20 connections.
#[test]
fn more_connections_can_be_open_than_there_are_source_ports() {
    let Some(network) = Network::new() else { return };
    network.router.run_script("sysctl -qw net.ipv4.ip_local_port_range='40000 40015'", &[]);
    for (keys, user) in [("", Some(NOBODY)), ("\"transparent\": true, ", None)] {
        let proxy = Proxy::start(&network, "::", &format!("{keys}\"upstream\": \"original\""), user);
        let script = proxy.script("nft", "65534");
        network.router.run_script(&script, &[]);
        for servers in [[server_v4(7000), server_v4(7001)], [server_v6(7000), server_v6(7001)]] {
            let mut clients: Vec<TcpStream> =
                servers.iter().flat_map(|server| [*server; 10]).map(|server| network.client.connect(server)).collect();
            for client in &mut clients {
                ask(client);
            }
        }
        network.router.run_script(&script, &["remove"]);
    }
}
