//! The HTTP API of Toxiproxy 2.12.0, so that its clients drive chaos-proxy unchanged. Where it differs, on purpose:
//!
//! - Values out of range and invalid addresses are rejected with 400 and a hint. So are host names of upstreams, unless
//!   they may be looked up: then that happens once, when the proxy is made.
//! - `listen` and `upstream` are answered as IP addresses, and `stream` in lower case.
//! - `listen` of a disabled proxy has its port at once, even if the request left it to the system.
//! - Two proxies can't listen on the same port of different addresses, because each route has a port of its own.
//! - A connection that has lost bytes to a `timeout` also closes when the toxicity of that toxic becomes 0.
//! - `toxics` in a request that creates proxies is not ignored.
//! - A browser's User-Agent alone is no reason to refuse a request; the access check decides.
//!
//! A proxy of this API is a route. Every change goes through [`RouteEditor`](route_editor::RouteEditor).

mod addresses;
mod answer;
mod body;
mod error;
mod populate;
mod proxies;
mod proxy_draft;
mod route_editor;
mod toxic_draft;
mod toxics;

use std::sync::atomic::{AtomicU64, Ordering};

use self::error::ToxiproxyError;
use self::route_editor::RouteEditor;
use super::Api;
use crate::http::{HeaderValue, Request, Response, Status};

/// The version of the API, with the space and the line end that Toxiproxy writes.
const VERSION: &str = "{\"version\": \"2.12.0\"}\n";

/// Answers a request. `None` if the path is not one of this API.
pub(super) fn respond(api: &Api, request: &Request) -> Option<Response> {
    let resource = Resource::of(&request.target.path())?;
    let routes = RouteEditor::new(api, request.client);
    let Some(answer) = resource.answer(&routes, request) else {
        return Some(Response::empty(Status::MethodNotAllowed).with_header("Allow", resource.methods()));
    };
    let response = answer.unwrap_or_else(|failure| failure.response());
    Some(response.with_header("X-Toxiproxy-Request-Id", request_id()))
}

/// Clients log it, so it is unique in a run.
fn request_id() -> HeaderValue {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed).saturating_add(1).into()
}

/// What a path names.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Proxies,
    Proxy(&'a str),
    Toxics(&'a str),
    Toxic(&'a str, &'a str),
    Populate,
    Reset,
    Version,
}

impl<'a> Resource<'a> {
    fn of(path: &[&'a str]) -> Option<Self> {
        match *path {
            ["proxies"] => Some(Self::Proxies),
            ["populate"] => Some(Self::Populate),
            ["reset"] => Some(Self::Reset),
            ["version"] => Some(Self::Version),
            ["proxies", proxy, ref rest @ ..] if !proxy.is_empty() => match *rest {
                [] => Some(Self::Proxy(proxy)),
                ["toxics"] => Some(Self::Toxics(proxy)),
                ["toxics", toxic] if !toxic.is_empty() => Some(Self::Toxic(proxy, toxic)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The methods that [`Self::answer`] knows.
    fn methods(self) -> &'static str {
        match self {
            Self::Proxies | Self::Toxics(_) => "GET, POST",
            Self::Proxy(_) | Self::Toxic(..) => "GET, POST, PATCH, DELETE",
            Self::Populate | Self::Reset => "POST",
            Self::Version => "GET",
        }
    }

    /// `None` if the resource has no such method. HEAD has none, as in Toxiproxy.
    fn answer(self, routes: &RouteEditor<'_>, request: &Request) -> Option<Result<Response, ToxiproxyError>> {
        let body = request.body.as_slice();
        Some(match (self, request.method.as_str()) {
            (Self::Proxies, "GET") => proxies::list(routes),
            (Self::Proxies, "POST") => proxies::create(routes, body),
            (Self::Proxy(proxy), "GET") => proxies::show(routes, proxy),
            (Self::Proxy(proxy), "POST" | "PATCH") => proxies::update(routes, proxy, body),
            (Self::Proxy(proxy), "DELETE") => proxies::delete(routes, proxy),
            (Self::Toxics(proxy), "GET") => toxics::list(routes, proxy),
            (Self::Toxics(proxy), "POST") => toxics::create(routes, proxy, body),
            (Self::Toxic(proxy, toxic), "GET") => toxics::show(routes, proxy, toxic),
            (Self::Toxic(proxy, toxic), "POST" | "PATCH") => toxics::update(routes, proxy, toxic, body),
            (Self::Toxic(proxy, toxic), "DELETE") => toxics::delete(routes, proxy, toxic),
            (Self::Populate, "POST") => populate::populate(routes, body),
            (Self::Reset, "POST") => proxies::reset(routes),
            (Self::Version, "GET") => Ok(version()),
            _ => return None,
        })
    }
}

fn version() -> Response {
    Response::new(Status::Ok, "application/json;charset=utf-8", VERSION.as_bytes().to_vec())
}
