//! This program's own API, below `/v1`: JSON answers, and JSON errors with their status.
//!
//! | path | GET | others |
//! |---|---|---|
//! | `/v1/connections` | the live connections, those of `?route=NAME` | DELETE with `?route=NAME` closes them |
//! | `/v1/connections/{id}` | | DELETE closes it, with `?reset=true` by a RST |
//! | `/v1/routes` | what each route has done | |
//! | `/v1/routes/{name}` | the route as in a config file | PUT creates or replaces it, DELETE removes it |
//! | `/v1/routes/{name}/toxics/{toxic}` | | PUT creates or replaces the toxic, DELETE removes it |
//! | `/v1/scenario` | the steps of the scenario, and the time in it | |
//! | `/v1/schema` | the JSON Schema of config files | |
//! | `/v1/config` | a config file that starts the same | |
//! | `/v1/seed` | the seed | |
//! | `/v1/events` | the log, as JSON lines | |
//! | `/v1/reload` | | POST loads the config file again |
//! | `/v1/health` | 200, or 503 during the drain | |

mod connections;
mod events;
mod process;
mod routes;
mod toxics;

use super::Api;
use super::answer::{ApiError, method_not_allowed};
use crate::http::{Request, Response};

type Answer = Result<Response, ApiError>;

/// Answers a request for a path below `/v1`.
pub(super) fn respond(api: &Api, request: &Request) -> Option<Response> {
    match request.target.path().as_slice() {
        ["v1", path @ ..] => Some(answer(api, request, path).unwrap_or_else(Response::from)),
        _ => None,
    }
}

/// HEAD is answered like GET; the server leaves the content out.
fn answer(api: &Api, request: &Request, path: &[&str]) -> Answer {
    let method = if request.method == "HEAD" { "GET" } else { &request.method };
    match (path, method) {
        (["connections"], "GET") => connections::list(api, request),
        (["connections"], "DELETE") => connections::end_all(api, request),
        (["connections", id], "DELETE") => connections::end(api, request, id),
        (["routes"], "GET") => Ok(routes::list(api)),
        (["routes", name], "GET") => routes::show(api, name),
        (["routes", name], "PUT") => routes::put(api, request, name),
        (["routes", name], "DELETE") => routes::remove(api, request, name),
        (["routes", name, "toxics", toxic], "PUT") => toxics::put(api, request, name, toxic),
        (["routes", name, "toxics", toxic], "DELETE") => toxics::remove(api, request, name, toxic),
        (["scenario"], "GET") => Ok(process::scenario(api)),
        (["schema"], "GET") => Ok(process::schema()),
        (["config"], "GET") => process::config(api),
        (["seed"], "GET") => Ok(process::seed(api)),
        (["health"], "GET") => Ok(process::health(api)),
        (["reload"], "POST") => process::reload(api, request),
        (["events"], "GET") => Ok(events::stream()),
        _ => other_method(&request.method, path),
    }
}

/// The body of a request as text.
fn text_of(request: &Request) -> Result<&str, ApiError> {
    str::from_utf8(&request.body).map_err(|_| ApiError::bad("the body is not UTF-8: send JSON in UTF-8"))
}

fn other_method(method: &str, path: &[&str]) -> Answer {
    let allowed = match path {
        ["connections"] => "GET, HEAD, DELETE",
        ["connections", _] => "DELETE",
        ["routes", _] => "GET, HEAD, PUT, DELETE",
        ["routes", _, "toxics", _] => "PUT, DELETE",
        ["routes" | "config" | "scenario" | "schema" | "seed" | "health" | "events"] => "GET, HEAD",
        ["reload"] => "POST",
        _ => return Err(unknown(path)),
    };
    Ok(method_not_allowed(method, allowed))
}

fn unknown(path: &[&str]) -> ApiError {
    let path = path.join("/");
    let known = "connections, routes, config, scenario, schema, seed, events, reload and health";
    ApiError::not_found(format!("there is no `/v1/{path}`: /v1 has {known}"))
}
