//! Answers in JSON: values, and errors with their status. Which request gets which answer is decided elsewhere.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::error_response::error_response;
use crate::config::{Position, Problem, Report};
use crate::http::{Response, Status};
use crate::proxy::ApplyError;
use crate::value::Rejected;

/// Answers with a value, and a line end for terminals.
pub(super) fn json(status: Status, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            Response::new(status, "application/json", text)
        }
        Err(error) => Response::text(Status::InternalServerError, &error.to_string()),
    }
}

/// A JSON value whose keys stay in this order.
#[derive(Debug)]
pub(super) enum Json {
    Plain(Value),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(super) fn list(values: impl Iterator<Item = Self>) -> Self {
        Self::List(values.collect())
    }

    pub(super) fn object(keys: impl Into<Vec<(&'static str, Self)>>) -> Self {
        Self::Object(keys.into())
    }
}

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self::Plain(value.into())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(keys) => serializer.collect_map(keys.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// A time in whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A request that can't be granted: `{"error": …, "status": …}`, with a list of problems if its body has some.
#[derive(Debug)]
pub(super) struct ApiError {
    status: Status,
    error: String,
    problems: Option<Json>,
}

impl ApiError {
    pub(super) fn new(status: Status, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), problems: None }
    }

    /// The request itself is wrong.
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::new(Status::BadRequest, error)
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::new(Status::NotFound, error)
    }
}

/// The answer to a method that a path does not have.
pub(super) fn method_not_allowed(method: &str, allowed: &'static str) -> Response {
    let error = format!("this path has no {method}: use {allowed}");
    Response::from(ApiError::new(Status::MethodNotAllowed, error)).with_header("Allow", allowed)
}

impl From<ApiError> for Response {
    fn from(failure: ApiError) -> Self {
        let ApiError { status, error, problems } = failure;
        let Some(problems) = problems else { return error_response(status, &error) };
        json(status, &Json::object([("error", error.into()), ("status", status.code().into()), ("problems", problems)]))
    }
}

/// A body, or the config file, has problems.
impl From<&Report> for ApiError {
    fn from(report: &Report) -> Self {
        let problems =
            report.problems().take(Report::MAX_LISTED).map(|(position, problem)| described(position, problem));
        Self { problems: Some(Json::list(problems)), ..Self::bad(report.summary()) }
    }
}

/// A problem of the text as a whole has no position.
fn described(position: Option<Position>, problem: &Problem) -> Json {
    Json::object([
        ("line", position.map(|it| it.line).into()),
        ("column", position.map(|it| it.column).into()),
        ("what", problem.what().into()),
        ("hint", problem.hint().into()),
    ])
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        Self::bad(format!("{}; {}", rejected.what, rejected.hint))
    }
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        let status = match error {
            ApplyError::Conflict(_) => Status::Conflict,
            ApplyError::Bind(_) | ApplyError::Starved(_) => Status::InternalServerError,
            ApplyError::Draining => Status::ServiceUnavailable,
        };
        Self::new(status, error.to_string())
    }
}
