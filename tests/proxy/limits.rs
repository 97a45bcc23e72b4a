//! Limits of the system: many connections, the connection cap, and running out of descriptors.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use nix::sys::signal::Signal;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::harness::{
    Setup, StreamEnd, accept, echoes, forwarding_pair, has_no_connection, one_route, read_to_end, serve_echo,
};

#[test]
fn serves_a_thousand_connections_on_one_route() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let mut proxy = setup.start();
    let clients: Vec<_> = (0..1000).map(|_| proxy.connect()).collect();
    assert!(clients.iter().all(|client| echoes(client, b"all at once")));
    drop(clients);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn serves_two_hundred_routes() {
    let ports = 8000..8200;
    let setup = ports.clone().fold(Setup::new(), |setup, port| setup.route(port, 9090, ""));
    serve_echo(setup.upstream());
    let proxy = setup.start();
    let clients: Vec<_> = ports.map(|port| proxy.connect_to(port)).collect();
    assert!(clients.iter().all(|client| echoes(client, b"all of them")));
}

#[test]
fn connections_over_the_cap_wait_in_the_backlog() {
    let setup = one_route("").args(["--max-connections", "2"]);
    let upstream = setup.upstream();
    let proxy = setup.start();
    let (first, _second) = (forwarding_pair(&proxy, &upstream), forwarding_pair(&proxy, &upstream));
    let mut third = proxy.connect();
    third.write_all(b"patience").unwrap();
    proxy.logged(&["further connections wait", "max_connections=2"]);
    assert!(has_no_connection(&upstream));
    upstream.set_nonblocking(false).unwrap();

    drop(first);
    let mut server = accept(&upstream);
    server.write_all(b"served").unwrap();
    assert_eq!(end_of_request(&third, server), StreamEnd::Fin(b"served".to_vec()));
}

/// If the kernel's descriptor table grew under load, all threads would wait for it.
#[test]
fn grows_the_descriptor_table_at_start() {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let proxy = one_route("").args(["--max-connections", "500"]).start();
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let size: u64 = status.lines().find_map(|line| line.strip_prefix("FDSize:")?.trim().parse().ok()).unwrap();
    assert!(size >= limit.min(2 * 500), "{size}");
}

fn end_of_request(client: &TcpStream, server: TcpStream) -> StreamEnd {
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), StreamEnd::Fin(b"patience".to_vec()));
    drop(server);
    read_to_end(client)
}

/// Lowers the limit of the running process, which computed its cap from the old limit.
#[test]
fn pauses_without_descriptors_and_recovers() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let proxy = setup.start();
    let established = proxy.connect();
    assert!(echoes(&established, b"before"));

    let pid = Pid::from_raw(i32::try_from(proxy.pid()).unwrap());
    let limit = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(8), ..limit }).unwrap();
    let waiting: Vec<_> = (0..10).map(|_| proxy.connect()).collect();
    proxy.logged(&["accepting is paused", "route=8180"]);
    assert!(echoes(&established, b"during"));

    prlimit(pid, Resource::Nofile, limit).unwrap();
    let served: Vec<bool> = waiting.into_iter().map(|client| echoes(&client, b"after")).collect();
    // A connection may get its first descriptor and not its second. The proxy resets it and logs why.
    let unserved = served.iter().filter(|served| !**served).count();
    assert_eq!(proxy.lines(&["no resources for the connection", "open files"]).len(), unserved);
    assert!(unserved < served.len());
    while proxy.lines(&["accepting again"]).is_empty() {
        assert!(echoes(&proxy.connect(), b"recovered"));
    }
    assert_eq!(proxy.lines(&["accepting is paused"]).len(), 1);
}

/// 64 clients, and 32 routes with five descriptors each. A connection takes two.
#[test]
fn an_admin_server_takes_descriptors_for_its_clients_and_for_new_routes() {
    let cap = |args: &[String]| {
        let proxy = one_route("").args(args).start_with_descriptors(900);
        let line = proxy.logged(&["msg=starting"]);
        let cap = line.split(' ').find_map(|field| field.strip_prefix("max_connections=")).unwrap();
        cap.parse::<usize>().unwrap()
    };
    let admin = ["--admin".to_owned(), SocketAddr::from((Setup::new().ip(), 8474)).to_string()];
    assert_eq!(2 * (cap(&[]) - cap(&admin)), 64 + 32 * 5);
}

/// A drain accepts all connections in the backlog, and here there are fewer descriptors than connections.
#[test]
fn drain_without_descriptors_serves_every_connection() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let mut proxy = setup.start_with_descriptors(128);
    let clients: Vec<_> = (0..300).map(|_| proxy.connect()).collect();
    proxy.logged(&["further connections wait"]);
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&["draining"]);
    for client in clients {
        assert!(echoes(&client, b"at last"));
    }
    assert_eq!(proxy.wait(), 0);
}

/// Each client needs two permits, one per route. Two clients that hold one each could wait for each other for ever.
#[test]
fn chained_routes_at_the_cap_do_not_deadlock() {
    let setup = Setup::new().route(8180, 8181, "").route(8181, 9090, "").args(["--max-connections", "2"]);
    serve_echo(setup.upstream());
    let proxy = setup.start();
    let clients: Vec<_> = (0..4).map(|_| proxy.connect()).collect();
    for client in clients {
        assert!(echoes(&client, b"through both"));
    }
}
