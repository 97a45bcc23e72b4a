//! The routes: lists, shows, creates, replaces and removes them.

use super::Answer;
use crate::admin::Api;
use crate::admin::answer::{ApiError, Json, json};
use crate::config::{Lookup, Resolved, Syntax, parse_named_route};
use crate::event::Origin;
use crate::http::{Request, Response, Status};
use crate::plan::{Route, RouteState};
use crate::proxy::{Faults, OldConnections, RouteStatus, ToxicKey};

pub(super) fn list(api: &Api) -> Response {
    json(Status::Ok, &Json::list(api.supervisor.routes().iter().map(object)))
}

fn object(status: &RouteStatus) -> Json {
    let route = &status.route;
    Json::object([
        ("name", route.name.as_str().into()),
        ("listen", route.listen().to_string().into()),
        ("upstream", route.upstream.to_string().into()),
        ("enabled", (route.state == RouteState::Enabled).into()),
        ("generation", status.generation.into()),
        ("accepted", status.accepted.into()),
        ("active", status.active.into()),
        ("dropped", status.dropped.into()),
        ("failedDials", status.failed_dials.into()),
        ("bytesUp", status.totals.up.sent.into()),
        ("bytesDown", status.totals.down.sent.into()),
        ("faults", Json::list(status.totals.faults.iter().map(faults))),
    ])
}

/// What a toxic has done, also one that was removed.
fn faults(((toxic, kind), faults): (&ToxicKey, &Faults)) -> Json {
    Json::object([
        ("toxic", toxic.as_str().into()),
        ("type", (*kind).into()),
        ("connections", faults.connections.into()),
        ("acts", faults.times.into()),
    ])
}

pub(super) fn show(api: &Api, name: &str) -> Answer {
    find(api, name).map(|route| json(Status::Ok, &route))
}

/// The route of that name.
pub(super) fn find(api: &Api, name: &str) -> Result<Route, ApiError> {
    let found = api.supervisor.configured().into_iter().find(|route| route.name.as_str() == name);
    found.ok_or_else(|| unknown(name))
}

pub(super) fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("no route is called `{name}`: GET /v1/routes lists them"))
}

/// The whole route is replaced: what the body leaves out gets its default.
pub(super) fn put(api: &Api, request: &Request, name: &str) -> Answer {
    let route = read(api, request, name)?;
    let mut status = Status::Ok;
    api.supervisor.edit(Origin::Api(request.client), OldConnections::Continue, |mut routes| {
        if let Some(present) = routes.iter_mut().find(|present| present.name == route.name) {
            *present = route.clone();
        } else {
            status = Status::Created;
            routes.push(route.clone());
        }
        Ok::<_, ApiError>(routes)
    })?;
    Ok(json(status, &route))
}

fn read(api: &Api, request: &Request, name: &str) -> Result<Route, ApiError> {
    let (name, text) = (name.parse()?, super::text_of(request)?);
    let parsed = parse_named_route(&name, "body", text, Syntax::Json, api.defaults.of_requests());
    let Resolved { value: route, lookups } = parsed.map_err(|report| ApiError::from(&report))?;
    lookups.iter().for_each(Lookup::log);
    Ok(route)
}

/// Live connections of the route continue.
pub(super) fn remove(api: &Api, request: &Request, name: &str) -> Answer {
    api.supervisor.edit(Origin::Api(request.client), OldConnections::Continue, |mut routes| {
        let index = routes.iter().position(|route| route.name.as_str() == name).ok_or_else(|| unknown(name))?;
        routes.remove(index);
        Ok::<_, ApiError>(routes)
    })?;
    Ok(Response::empty(Status::NoContent))
}
