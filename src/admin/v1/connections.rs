//! The live connections: lists and ends them.

use super::Answer;
use crate::admin::Api;
use crate::admin::answer::{ApiError, Json, json, millis};
use crate::event::Origin;
use crate::http::{Request, Response, Status};
use crate::proxy::ConnectionStatus;
use crate::value::{CloseMode, RouteName};

pub(super) fn list(api: &Api, request: &Request) -> Answer {
    let route: Option<RouteName> = request.target.parameter("route").map(str::parse).transpose()?;
    let is_listed = |it: &ConnectionStatus| route.as_ref().is_none_or(|name| it.subject.route.name == *name);
    let connections = api.supervisor.connections().into_iter().filter(is_listed);
    Ok(json(Status::Ok, &Json::list(connections.map(object))))
}

fn object(connection: ConnectionStatus) -> Json {
    let ConnectionStatus { id, subject, phase, age, bytes_up, bytes_down, toxics } = connection;
    Json::object([
        ("id", id.into()),
        ("route", subject.route.name.as_str().into()),
        ("number", subject.number.into()),
        ("client", subject.client.to_string().into()),
        ("upstream", subject.upstream().into()),
        ("state", phase.as_str().into()),
        ("ageMs", millis(age).into()),
        ("bytesUp", bytes_up.into()),
        ("bytesDown", bytes_down.into()),
        ("toxics", Json::list(toxics.iter().map(|name| name.as_str().into()))),
    ])
}

pub(super) fn end(api: &Api, request: &Request, id: &str) -> Answer {
    let mode = close_mode(request)?;
    let number: u64 = id.parse().map_err(|_| not_a_number(id))?;
    if api.supervisor.end_connection(Origin::Api(request.client), number, mode) {
        Ok(Response::empty(Status::NoContent))
    } else {
        Err(ApiError::not_found(format!("no live connection has the id {number}: GET /v1/connections lists them")))
    }
}

fn not_a_number(id: &str) -> ApiError {
    ApiError::bad(format!("`{id}` is not the id of a connection: use a number that GET /v1/connections lists"))
}

/// Also ends the remaining connections of a removed route.
pub(super) fn end_all(api: &Api, request: &Request) -> Answer {
    let mode = close_mode(request)?;
    let name = request.target.parameter("route").ok_or_else(|| {
        ApiError::bad("the route is missing: use DELETE /v1/connections?route=NAME, or /v1/connections/ID for one")
    })?;
    let route: RouteName = name.parse()?;
    let closed = api.supervisor.end_connections(Origin::Api(request.client), &route, mode);
    if closed == 0 {
        super::routes::find(api, name)?;
    }
    Ok(json(Status::Ok, &Json::object([("closed", closed.into())])))
}

fn close_mode(request: &Request) -> Result<CloseMode, ApiError> {
    match request.target.parameter("reset") {
        None | Some("false") => Ok(CloseMode::Close),
        Some("true") => Ok(CloseMode::Reset),
        Some(other) => Err(ApiError::bad(format!("`reset={other}` is not a choice: use reset=true or reset=false"))),
    }
}
