//! The run as a whole: its config, its seed, its health, and a reload of its config file.

use super::Answer;
use crate::admin::Api;
use crate::admin::answer::{ApiError, Json, json, millis};
use crate::config;
use crate::event::Origin;
use crate::harness::scenario::Playing;
use crate::http::{Request, Response, Status};
use crate::plan::Plan;
use crate::proxy::{AppliedChange, Health};
use crate::reload::ReloadError;

/// A config file that starts the present routes and this server, with the same seed.
pub(super) fn config(api: &Api) -> Answer {
    let plan = Plan::new(Some(api.supervisor.seed()), api.supervisor.configured());
    let plan = plan.map_err(|_| ApiError::new(Status::InternalServerError, "the live routes conflict"))?;
    Ok(json(Status::Ok, &plan.with_admin(api.address)))
}

/// Without a scenario, there are no steps.
pub(super) fn scenario(api: &Api) -> Response {
    let Playing { scenario, elapsed } = api.scenario.as_ref().map(|player| player.playing()).unwrap_or_default();
    let steps = scenario.steps().iter().map(|step| {
        Json::object([
            ("atMs", millis(step.at.duration()).into()),
            ("endMs", millis(step.end()).into()),
            ("route", step.routes.to_string().into()),
            ("step", step.action.to_string().into()),
        ])
    });
    let object = Json::object([
        ("elapsedMs", millis(elapsed).into()),
        ("repeatMs", scenario.repeat().map(|period| millis(period.duration())).into()),
        ("steps", Json::list(steps)),
    ]);
    json(Status::Ok, &object)
}

pub(super) fn schema() -> Response {
    Response::new(Status::Ok, "application/schema+json", config::schema().into_bytes())
}

pub(super) fn seed(api: &Api) -> Response {
    json(Status::Ok, &Json::object([("seed", api.supervisor.seed().into())]))
}

pub(super) fn health(api: &Api) -> Response {
    let (status, word) = match api.supervisor.health() {
        Health::Accepting => (Status::Ok, "ok"),
        Health::Draining => (Status::ServiceUnavailable, "draining"),
    };
    json(status, &Json::object([("status", word.into())]))
}

pub(super) fn reload(api: &Api, request: &Request) -> Answer {
    let reloader = api.reloader.as_ref().ok_or_else(|| {
        ApiError::new(
            Status::Conflict,
            "this run has no config file that can be read again: start it with --config FILE, or PUT /v1/routes/NAME",
        )
    })?;
    let changes = reloader.reload(Origin::Api(request.client))?;
    Ok(json(Status::Ok, &Json::object([("changes", Json::list(changes.iter().map(object)))])))
}

fn object(change: &AppliedChange) -> Json {
    Json::object([
        ("route", change.route.as_str().into()),
        ("change", change.change.as_str().into()),
        ("connections", change.connections.into()),
    ])
}

impl From<ReloadError> for ApiError {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Invalid(report) => Self::from(&report),
            ReloadError::Apply(error) => error.into(),
            error @ ReloadError::NotAFile(_) => Self::bad(error.to_string()),
        }
    }
}
