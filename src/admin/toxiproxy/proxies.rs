//! Proxies: listed, created, changed and removed, one at a time, and the reset of all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::{Listen, upstream};
use super::answer::{Proxy, answer};
use super::body::Fields;
use super::error::ToxiproxyError;
use super::proxy_draft::{LISTEN, ProxyDraft, state};
use super::route_editor::RouteEditor;
use crate::http::{Response, Status};
use crate::plan::keys::UPSTREAM;
use crate::plan::{PortChoice, Route, RouteState};
use crate::value::Port;

/// An object of proxies by name, in the order of their names.
pub fn list(routes: &RouteEditor<'_>) -> Result<Response, ToxiproxyError> {
    let all = routes.all();
    let by_name: BTreeMap<&str, Proxy<'_>> = all.iter().map(|route| (route.name.as_str(), Proxy(route))).collect();
    answer(Status::Ok, &by_name)
}

pub fn create(routes: &RouteEditor<'_>, body: &[u8]) -> Result<Response, ToxiproxyError> {
    let draft = ProxyDraft::read(&Fields::of_body(body)?, routes.host_names())?;
    let route = draft.listen.open(|bind, port| routes.add(draft.route(bind, port)))?;
    answer(Status::Created, &Proxy(&route))
}

pub fn show(routes: &RouteEditor<'_>, name: &str) -> Result<Response, ToxiproxyError> {
    answer(Status::Ok, &Proxy(&routes.get(name)?))
}

/// Changes the addresses and the state. Toxics of the body are ignored: clients send those that they know, which may be
/// old.
pub fn update(routes: &RouteEditor<'_>, name: &str, body: &[u8]) -> Result<Response, ToxiproxyError> {
    let present = routes.get(name)?;
    let fields = Fields::of_body(body)?;
    let listen = fields.text(LISTEN)?.map_or(Ok(Listen::of(&present)), Listen::parse)?;
    let upstream =
        fields.text(UPSTREAM.name)?.map_or(Ok(present.upstream), |text| upstream(text, routes.host_names()))?;
    let state = state(&fields)?;
    let with_state = |route: Route| Route { state: state.unwrap_or(route.state), ..route };
    let moved =
        |route: Route, bind, port| with_state(Route { bind, port, port_choice: PortChoice::Given, upstream, ..route });
    let route = if listen.is_of(&present) && upstream == present.upstream {
        routes.replace(name, with_state)?
    } else {
        routes.replace_at(name, &listen, moved).inspect_err(|failure| disable(routes, name, failure, moved))?
    };
    answer(Status::Ok, &Proxy(&route))
}

/// A route that can't listen on its new address is disabled, with that address.
fn disable(
    routes: &RouteEditor<'_>,
    name: &str,
    failure: &ToxiproxyError,
    moved: impl Fn(Route, IpAddr, Port) -> Route,
) {
    if let ToxiproxyError::Bind(addr, _) = failure
        && let Ok(port) = Port::try_from(i128::from(addr.port()))
    {
        let disabled = |route| Route { state: RouteState::Disabled, ..moved(route, addr.ip(), port) };
        // The client is informed of the first failure.
        drop(routes.replace(name, disabled));
    }
}

/// Ends all connections too.
pub fn delete(routes: &RouteEditor<'_>, name: &str) -> Result<Response, ToxiproxyError> {
    routes.remove(name)?;
    Ok(Response::empty(Status::NoContent))
}

/// Enables all routes and removes all toxics, and stops at the first route that can't be enabled. The drop rate and the
/// latency of a route stay: they are not toxics.
pub fn reset(routes: &RouteEditor<'_>) -> Result<Response, ToxiproxyError> {
    for route in routes.all() {
        let reset = routes.change(route.name.as_str(), |route| {
            route.state = RouteState::Enabled;
            route.toxics.clear();
            Ok(())
        });
        match reset {
            // Removed by another request in the meantime.
            Ok(_) | Err(ToxiproxyError::ProxyNotFound) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(Response::empty(Status::NoContent))
}
