//! The live routes as this API reads and changes them: one at a time, by name.

use std::net::SocketAddr;

use super::failure::Failure;
use crate::admin::Api;
use crate::config::HostNames;
use crate::event::Origin;
use crate::plan::{Route, RouteState};

/// The live routes, for one request.
pub struct Routes<'a> {
    api: &'a Api,
    origin: Origin,
}

impl<'a> Routes<'a> {
    pub fn new(api: &'a Api, client: SocketAddr) -> Self {
        Self { api, origin: Origin::Api(client) }
    }

    /// Which host names the upstreams of requests may have.
    pub fn host_names(&self) -> HostNames {
        self.api.defaults.host_names
    }

    /// All routes, in the order in which they were added.
    pub fn all(&self) -> Vec<Route> {
        self.api.supervisor.plan()
    }

    pub fn find(&self, name: &str) -> Option<Route> {
        self.all().into_iter().find(|route| route.name.as_str() == name)
    }

    pub fn get(&self, name: &str) -> Result<Route, Failure> {
        self.find(name).ok_or(Failure::ProxyNotFound)
    }

    /// Adds a route. Returns it.
    pub fn add(&self, route: Route) -> Result<Route, Failure> {
        self.edit(|routes| {
            if routes.iter().any(|other| other.name == route.name) {
                return Err(Failure::ProxyExists);
            }
            routes.push(route.clone());
            require_own_port(routes, &route)
        })?;
        Ok(route)
    }

    /// Changes a route. Returns it as it is then.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Route) -> Result<(), Failure>) -> Result<Route, Failure> {
        let mut changed = None;
        self.edit(|routes| {
            let route = routes.iter_mut().find(|route| route.name.as_str() == name).ok_or(Failure::ProxyNotFound)?;
            change(route)?;
            let route = changed.insert(route.clone());
            require_own_port(routes, route)
        })?;
        changed.ok_or(Failure::ProxyNotFound)
    }

    /// Closes or opens the port of a route. Closing it ends all its connections.
    pub fn set_state(&self, name: &str, state: RouteState) -> Result<Route, Failure> {
        self.change(name, |route| {
            route.state = state;
            Ok(())
        })
    }

    /// Removes a route, which does not end its connections.
    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        self.edit(|routes| {
            routes.retain(|route| route.name.as_str() != name);
            Ok(())
        })
    }

    fn edit(&self, edit: impl FnOnce(&mut Vec<Route>) -> Result<(), Failure>) -> Result<(), Failure> {
        let changes = self.api.supervisor.edit(self.origin, |mut routes| edit(&mut routes).map(|()| routes));
        changes.map(drop)
    }
}

/// Two routes can't share a port, even on different addresses. To a client of this API, that is a port in use.
fn require_own_port(routes: &[Route], route: &Route) -> Result<(), Failure> {
    let has_it = |other: &Route| other.state == RouteState::Enabled && other.port == route.port;
    let is_taken = has_it(route) && routes.iter().any(|other| other.name != route.name && has_it(other));
    if is_taken { Err(Failure::in_use(route.listen())) } else { Ok(()) }
}
