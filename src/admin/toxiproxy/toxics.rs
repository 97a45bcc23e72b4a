//! The toxics of a proxy: listed, added, changed and removed.

use super::answer::{PrintedToxic, answer, toxics};
use super::body::Fields;
use super::error::ToxiproxyError;
use super::route_editor::RouteEditor;
use super::toxic_draft::{ToxicDraft, updated};
use crate::http::{Response, Status};
use crate::plan::Route;
use crate::toxic::Toxic;

pub fn list(routes: &RouteEditor<'_>, proxy: &str) -> Result<Response, ToxiproxyError> {
    answer(Status::Ok, &toxics(&routes.get(proxy)?))
}

/// The new toxic acts after those that the route has.
pub fn create(routes: &RouteEditor<'_>, proxy: &str, body: &[u8]) -> Result<Response, ToxiproxyError> {
    routes.get(proxy)?;
    let draft = ToxicDraft::read(Fields::of_body(body)?)?;
    let route = routes.change(proxy, |route| add(&mut route.toxics, &draft))?;
    show_of(&route, &draft.name)
}

pub fn show(routes: &RouteEditor<'_>, proxy: &str, toxic: &str) -> Result<Response, ToxiproxyError> {
    show_of(&routes.get(proxy)?, toxic)
}

pub fn update(routes: &RouteEditor<'_>, proxy: &str, toxic: &str, body: &[u8]) -> Result<Response, ToxiproxyError> {
    position(&routes.get(proxy)?, toxic)?;
    let changes = Fields::of_body(body)?;
    let route = routes.change(proxy, |route| {
        let at = position(route, toxic)?;
        route.toxics[at] = updated(&route.toxics[at], &changes)?;
        Ok(())
    })?;
    show_of(&route, toxic)
}

pub fn delete(routes: &RouteEditor<'_>, proxy: &str, toxic: &str) -> Result<Response, ToxiproxyError> {
    routes.change(proxy, |route| {
        route.toxics.remove(position(route, toxic)?);
        Ok(())
    })?;
    Ok(Response::empty(Status::NoContent))
}

/// Adds a toxic to a list in which names are unique.
pub fn add(toxics: &mut Vec<Toxic>, draft: &ToxicDraft) -> Result<(), ToxiproxyError> {
    if toxics.iter().any(|toxic| toxic.name.as_str() == draft.name) {
        return Err(ToxiproxyError::ToxicExists);
    }
    toxics.push(draft.toxic()?);
    Ok(())
}

fn show_of(route: &Route, toxic: &str) -> Result<Response, ToxiproxyError> {
    answer(Status::Ok, &PrintedToxic(&route.toxics[position(route, toxic)?]))
}

fn position(route: &Route, toxic: &str) -> Result<usize, ToxiproxyError> {
    route.toxics.iter().position(|other| other.name.as_str() == toxic).ok_or(ToxiproxyError::ToxicNotFound)
}
