//! The live routes as this API reads and changes them: one at a time, by name.

use std::net::{IpAddr, SocketAddr};

use super::addresses::Listen;
use super::error::ToxiproxyError;
use crate::admin::Api;
use crate::config::HostNames;
use crate::event::Origin;
use crate::plan::{Route, RouteState};
use crate::proxy::OldConnections;
use crate::value::Port;

/// The live routes, for one request.
pub struct RouteEditor<'a> {
    api: &'a Api,
    origin: Origin,
}

impl<'a> RouteEditor<'a> {
    pub fn new(api: &'a Api, client: SocketAddr) -> Self {
        Self { api, origin: Origin::Api(client) }
    }

    /// Which host names the upstreams of requests may have.
    pub fn host_names(&self) -> HostNames {
        self.api.defaults.host_names
    }

    /// All routes, in the order in which they were added.
    pub fn all(&self) -> Vec<Route> {
        self.api.supervisor.configured()
    }

    pub fn find(&self, name: &str) -> Option<Route> {
        self.all().into_iter().find(|route| route.name.as_str() == name)
    }

    pub fn get(&self, name: &str) -> Result<Route, ToxiproxyError> {
        self.find(name).ok_or(ToxiproxyError::ProxyNotFound)
    }

    /// Adds a route. Returns it.
    pub fn add(&self, route: Route) -> Result<Route, ToxiproxyError> {
        self.edit(|routes| {
            if routes.iter().any(|other| other.name == route.name) {
                return Err(ToxiproxyError::ProxyExists);
            }
            routes.push(route.clone());
            require_own_port(routes, &route)
        })?;
        Ok(route)
    }

    /// Changes a route. Returns it as it is then.
    pub fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Route) -> Result<(), ToxiproxyError>,
    ) -> Result<Route, ToxiproxyError> {
        let mut changed = None;
        self.edit(|routes| {
            let route =
                routes.iter_mut().find(|route| route.name.as_str() == name).ok_or(ToxiproxyError::ProxyNotFound)?;
            change(route)?;
            let route = changed.insert(route.clone());
            require_own_port(routes, route)
        })?;
        changed.ok_or(ToxiproxyError::ProxyNotFound)
    }

    /// Replaces a route by one that listens on `listen`.
    pub fn replace_at(
        &self,
        name: &str,
        listen: &Listen,
        replacement: impl Fn(Route, IpAddr, Port) -> Route,
    ) -> Result<Route, ToxiproxyError> {
        listen.open(|bind, port| self.replace(name, |route| replacement(route, bind, port)))
    }

    pub fn replace(&self, name: &str, replacement: impl FnOnce(Route) -> Route) -> Result<Route, ToxiproxyError> {
        self.change(name, |route| {
            *route = replacement(route.clone());
            Ok(())
        })
    }

    /// Removes a route, and ends its connections.
    pub fn remove(&self, name: &str) -> Result<(), ToxiproxyError> {
        self.edit(|routes| {
            let index =
                routes.iter().position(|route| route.name.as_str() == name).ok_or(ToxiproxyError::ProxyNotFound)?;
            routes.remove(index);
            Ok(())
        })
    }

    /// As in Toxiproxy, a route that moves ends its connections.
    fn edit(&self, edit: impl FnOnce(&mut Vec<Route>) -> Result<(), ToxiproxyError>) -> Result<(), ToxiproxyError> {
        let edited = |mut routes| edit(&mut routes).map(|()| routes);
        self.api.supervisor.edit(self.origin, OldConnections::End, edited).map(drop)
    }
}

/// Two routes can't share a port, even on different addresses. To a client of this API, that is a port in use.
fn require_own_port(routes: &[Route], route: &Route) -> Result<(), ToxiproxyError> {
    let has_it = |other: &Route| other.state == RouteState::Enabled && other.port == route.port;
    let is_taken = has_it(route) && routes.iter().any(|other| other.name != route.name && has_it(other));
    if is_taken { Err(ToxiproxyError::in_use(route.listen())) } else { Ok(()) }
}
