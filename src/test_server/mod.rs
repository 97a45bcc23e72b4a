//! The HTTP upstreams of `--test-server`, for trying a route without a real service.
//!
//! | path       | response                                                                                       |
//! |------------|------------------------------------------------------------------------------------------------|
//! | `/`        | the address that the client connected to, as a line of text                                    |
//! | `/bytes/N` | N bytes, up to 2^64 - 1; the byte at offset i is i mod 251, so that a client can check each    |
//! | `/echo`    | the request's body, up to 64 MiB, with its Content-Type, once all of it has arrived            |
//!
//! For tests on the local machine. This module has the addresses, the limits and the resources; the protocol is `http`.

mod pattern;
mod resource;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::http::{BindError, Limits, Response, Server};

/// Generous, because a proxy that injects faults makes transfers slow.
const LIMITS: Limits = Limits {
    // The proxy already limits the connections.
    connections: NonZeroUsize::MAX,
    replaceable_after: Duration::MAX,
    streams: 0,
    // nginx accepts 8 KiB in one line, Apache in one header.
    head_bytes: 16 * 1024,
    // Browsers send about 20; Apache accepts 100.
    header_lines: 100,
    body_bytes: 64 * 1024 * 1024,
    // The proxy connects at once and sends after its latency, so this limits the latency that can be tested.
    first_request: Duration::from_secs(60),
    // A draining proxy waits for its connections, and clients with a connection pool keep theirs open.
    next_request: Duration::from_secs(5),
    head: Duration::from_secs(10),
    stall: Duration::from_secs(60),
    linger: Duration::from_secs(5),
};

/// Serves on all of `addrs` until the process ends. Binds all of them before it serves any.
///
/// # Errors
/// An address can't be bound, or no thread is available.
pub fn start(addrs: impl IntoIterator<Item = SocketAddr>) -> Result<(), BindError> {
    let distinct: BTreeSet<SocketAddr> = addrs.into_iter().collect();
    let servers: Vec<TestServer> = distinct.into_iter().map(TestServer::bind).collect::<Result<_, _>>()?;
    servers.into_iter().try_for_each(TestServer::serve)
}

/// A bound address. Connections wait in the kernel's backlog until it serves.
#[derive(Debug)]
pub struct TestServer(Server);

impl TestServer {
    /// Binds `addr`. Port 0 selects any free port.
    ///
    /// # Errors
    /// The address is in use, does not belong to this machine, or is not permitted to this user.
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        Server::bind(addr).map(Self).map_err(|source| bind_error(addr, source))
    }

    /// The bound address, with the actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Serves on its own threads until the process ends.
    ///
    /// # Errors
    /// No thread is available to accept connections.
    pub fn serve(self) -> Result<(), BindError> {
        let addr = self.local_addr();
        self.0.serve(LIMITS, Response::text, resource::respond).map_err(|source| bind_error(addr, source))
    }
}

fn bind_error(addr: SocketAddr, source: io::Error) -> BindError {
    BindError {
        server: "test server",
        alternative: "leave --test-server out if the real upstream listens there",
        addr,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Binds a free port of 127.0.2.`host`. Each test has its own address, so that no other test takes a port that was
    /// closed.
    fn any_port(host: u8) -> TestServer {
        TestServer::bind(SocketAddr::from(([127, 0, 2, host], 0))).expect("a free port")
    }

    #[test]
    fn reports_an_address_in_use_with_a_hint() {
        let first = any_port(1);
        let error = TestServer::bind(first.local_addr()).expect_err("it is taken").to_string();
        assert!(error.contains(&first.local_addr().to_string()), "{error}");
        assert!(error.contains("another process listens there"), "{error}");
    }

    #[test]
    fn reports_an_address_of_another_machine_with_a_hint() {
        // TEST-NET-1 belongs to no machine (RFC 5737).
        let error = start([SocketAddr::from(([192, 0, 2, 1], 80))]).expect_err("it is not ours").to_string();
        assert!(error.contains("192.0.2.1:80") && error.contains("no such address"), "{error}");
    }

    #[test]
    fn binds_a_repeated_address_once() {
        let addr = any_port(2).local_addr();
        start([addr, addr]).expect("the port was free before");
    }

    #[test]
    fn serves_no_address_unless_all_are_bound() {
        let (free, taken) = (any_port(3).local_addr(), any_port(3));
        start([free, taken.local_addr()]).expect_err("one is taken");
        TestServer::bind(free).expect("the other was closed");
    }
}
