//! The admin server: changes routes while the proxy runs, and shows what happens to connections. It runs on threads of
//! its own and never waits for a connection of the proxy. All changes go through [`Supervisor::edit`].
//!
//! | module | contents |
//! |---|---|
//! | `access` | which requests are permitted |
//! | `toxiproxy` | the API of Toxiproxy |
//! | `v1` | this program's own API, below `/v1` |
//! | `metrics` | `/metrics`, as Prometheus reads it |
//! | `dashboard` | the page for browsers, at `/` |
//! | `answer`, `error_response` | answers in JSON, and errors |
//!
//! This module has the address, the limits, and which module answers a request.

mod access;
mod answer;
mod dashboard;
mod error_response;
mod metrics;
mod toxiproxy;
mod v1;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use access::{Access, Denied};
pub use error_response::error_response;

use crate::config::Defaults;
use crate::harness::scenario::Player;
use crate::http::{BindError, Limits, Request, Response, Server, Status};
use crate::plan::ListenAddress;
use crate::proxy::Supervisor;
use crate::reload::Reloader;

/// The most clients at once.
pub const CLIENTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The number of routes that requests can add to those of the start without taking descriptors from connections. It
/// costs 32 · 5 = 160 descriptors (`limits::Baseline`), a sixth of the 1,024 that many shells allow.
pub const ADDED_ROUTES: usize = 32;

const LIMITS: Limits = Limits {
    connections: CLIENTS,
    // Readers of the events leave half of the connections to requests.
    streams: CLIENTS.get() / 2,
    // Slow clients that hold all connections delay another one by this time. Probes give up after 1 s by default.
    replaceable_after: Duration::from_millis(100),
    head_bytes: 16 * 1024,
    // Browsers send about 20; Apache accepts 100.
    header_lines: 100,
    body_bytes: 1024 * 1024,
    first_request: Duration::from_secs(15),
    next_request: Duration::from_secs(60),
    head: Duration::from_secs(15),
    stall: Duration::from_secs(30),
    linger: Duration::from_secs(5),
};

/// What requests read and change.
#[derive(Debug)]
pub struct Api {
    supervisor: Arc<Supervisor>,
    access: Access,
    defaults: Defaults,
    /// Absent if the run has no config file.
    reloader: Option<Arc<Reloader>>,
    /// Absent if the run has none.
    scenario: Option<Arc<Player>>,
    /// Where it is served, if that can be written in a config file.
    address: Option<ListenAddress>,
    started: SystemTime,
}

impl Api {
    /// The API of the run that starts now, which has no config file. Routes of requests take `defaults` for keys that
    /// they leave out. No token is needed.
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>, defaults: Defaults) -> Self {
        let (access, started) = (Access::default(), SystemTime::now());
        Self { supervisor, access, defaults, reloader: None, scenario: None, address: None, started }
    }

    /// Sets which requests are permitted.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Sets the config file of the run.
    #[must_use]
    pub fn with_reloader(self, reloader: Arc<Reloader>) -> Self {
        Self { reloader: Some(reloader), ..self }
    }

    /// Sets the player of the scenario.
    #[must_use]
    pub fn with_scenario(self, player: Arc<Player>) -> Self {
        Self { scenario: Some(player), ..self }
    }

    /// Answers a request, if it is permitted.
    #[must_use]
    pub fn respond(&self, request: &Request) -> Response {
        self.access.check(request).map_or_else(Response::from, |()| self.answer(request))
    }

    fn answer(&self, request: &Request) -> Response {
        let answer = toxiproxy::respond(self, request)
            .or_else(|| v1::respond(self, request))
            .or_else(|| metrics::respond(self, request))
            .or_else(|| dashboard::respond(request));
        answer.unwrap_or_else(|| Response::text(Status::NotFound, "404 page not found"))
    }
}

/// The bound address of the admin server. Connections wait in the kernel's backlog until it serves.
#[derive(Debug)]
pub struct Admin(Server);

impl Admin {
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

    /// Serves until the process ends: it still answers during the drain.
    ///
    /// # Errors
    /// No thread is available to accept connections.
    pub fn serve(self, api: Api) -> io::Result<()> {
        let api = Api { address: self.local_addr().to_string().parse().ok(), ..api };
        self.0.serve(LIMITS, error_response, move |request| api.respond(&request))
    }
}

fn bind_error(addr: SocketAddr, source: io::Error) -> BindError {
    BindError { server: "admin server", alternative: "set the address with --admin IP:PORT", addr, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_an_address_in_use_with_a_hint() {
        let first = Admin::bind(SocketAddr::from(([127, 0, 2, 4], 0))).expect("a free port");
        let error = Admin::bind(first.local_addr()).expect_err("it is taken").to_string();
        assert!(error.contains(&first.local_addr().to_string()) && error.contains("--admin"), "{error}");
    }
}
