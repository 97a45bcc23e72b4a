//! Creates a list of proxies, of which some may exist.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::answer::{Proxy, answer};
use super::body::{Fields, list, parse};
use super::error::ToxiproxyError;
use super::proxy_draft::ProxyDraft;
use super::route_editor::RouteEditor;
use crate::config::HostNames;
use crate::http::{Response, Status};
use crate::plan::{Route, RouteState};

/// Places one proxy after the other, up to the first that fails. Nothing is placed if one of them is invalid.
pub fn populate(routes: &RouteEditor<'_>, body: &[u8]) -> Result<Response, ToxiproxyError> {
    let mut placed = Vec::new();
    let result = drafts(body, routes.host_names()).and_then(|drafts| {
        for draft in &drafts {
            placed.push(place(routes, draft)?);
        }
        Ok(())
    });
    let failure = result.err();
    let status = failure.as_ref().map_or(Status::Created, ToxiproxyError::status);
    answer(status, &Populated { failure, routes: placed })
}

/// The proxies of the list up to the first that failed, and that failure.
struct Populated {
    failure: Option<ToxiproxyError>,
    routes: Vec<Route>,
}

impl Serialize for Populated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(failure) = &self.failure {
            map.serialize_entry("error", &failure.text())?;
            map.serialize_entry("status", &failure.status().code())?;
        }
        map.serialize_entry("proxies", &self.routes.iter().map(Proxy).collect::<Vec<_>>())?;
        map.end()
    }
}

fn drafts(body: &[u8], host_names: HostNames) -> Result<Vec<ProxyDraft>, ToxiproxyError> {
    let entries = list("the body", parse(body)?)?;
    let entries: Vec<Fields> = numbered(entries, |entry| Fields::of("it", entry))?;
    numbered::<_, _, ()>(&entries, ProxyDraft::require)?;
    numbered(&entries, |fields| ProxyDraft::read(fields, host_names))
}

/// Converts each element. A failure has the number of its element.
fn numbered<T, U, C: FromIterator<U>>(
    elements: impl IntoIterator<Item = T>,
    convert: impl Fn(T) -> Result<U, ToxiproxyError>,
) -> Result<C, ToxiproxyError> {
    let elements = elements.into_iter().zip(1..);
    elements.map(|(element, number)| convert(element).map_err(|failure| failure.at_proxy(number))).collect()
}

/// Creates a proxy, or replaces one with other addresses. One with the same addresses keeps its state, and its toxics
/// unless there are others.
fn place(routes: &RouteEditor<'_>, draft: &ProxyDraft) -> Result<Route, ToxiproxyError> {
    let name = draft.name.as_str();
    match routes.find(name) {
        None => match draft.listen.open(|bind, port| routes.add(draft.route(bind, port))) {
            // Another request has created it in the meantime.
            Err(ToxiproxyError::ProxyExists) => place(routes, draft),
            placed => placed,
        },
        Some(present) if draft.is_at(&present) && draft.toxics.is_empty() => Ok(present),
        Some(present) if draft.is_at(&present) => routes.change(name, |route| {
            route.toxics.clone_from(&draft.toxics);
            Ok(())
        }),
        // The old one's connections end, and it is disabled if the new one can't listen.
        Some(_) => {
            let placed = routes.replace_at(name, &draft.listen, |_, bind, port| draft.route(bind, port));
            placed.inspect_err(|_| drop(routes.replace(name, |old| Route { state: RouteState::Disabled, ..old })))
        }
    }
}
