//! The toxics of a route: each is created, replaced and removed by its name.

use super::Answer;
use super::routes::unknown;
use crate::admin::Api;
use crate::admin::answer::{ApiError, json};
use crate::config::{Syntax, parse_named_toxic};
use crate::event::Origin;
use crate::http::{Request, Response, Status};
use crate::proxy::OldConnections;
use crate::toxic::Toxic;

/// The whole toxic is replaced: what the body leaves out gets its default. A new one acts after those that the route has.
pub(super) fn put(api: &Api, request: &Request, route: &str, name: &str) -> Answer {
    let toxic = read(request, name)?;
    let mut status = Status::Ok;
    change(api, request, route, |toxics| {
        if let Some(present) = toxics.iter_mut().find(|present| present.name == toxic.name) {
            *present = toxic.clone();
        } else {
            status = Status::Created;
            toxics.push(toxic.clone());
        }
        Ok(())
    })?;
    Ok(json(status, &toxic))
}

fn read(request: &Request, name: &str) -> Result<Toxic, ApiError> {
    let toxic = parse_named_toxic(&name.parse()?, "body", super::text_of(request)?, Syntax::Json)
        .map_err(|report| ApiError::from(&report))?;
    if toxic.name.as_str() == name {
        Ok(toxic)
    } else {
        let other = &toxic.name;
        let error =
            format!("the name is `{other}`, but this is the toxic `{name}`; leave `name` out, or write `{name}`");
        Err(ApiError::bad(error))
    }
}

pub(super) fn remove(api: &Api, request: &Request, route: &str, name: &str) -> Answer {
    change(api, request, route, |toxics| {
        let index = toxics.iter().position(|toxic| toxic.name.as_str() == name).ok_or_else(|| {
            ApiError::not_found(format!("the route `{route}` has no toxic `{name}`: GET /v1/routes/{route} lists them"))
        })?;
        toxics.remove(index);
        Ok(())
    })?;
    Ok(Response::empty(Status::NoContent))
}

/// Live connections of the route get the changed toxics.
fn change(
    api: &Api,
    request: &Request,
    name: &str,
    mut change: impl FnMut(&mut Vec<Toxic>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    api.supervisor.edit(Origin::Api(request.client), OldConnections::Continue, |mut routes| {
        let route = routes.iter_mut().find(|route| route.name.as_str() == name).ok_or_else(|| unknown(name))?;
        change(&mut route.toxics)?;
        Ok::<_, ApiError>(routes)
    })?;
    Ok(())
}
