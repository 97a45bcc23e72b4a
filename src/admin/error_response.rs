//! The form of an error: clients of Toxiproxy decode every one as JSON.

use serde_json::Value;

use crate::http::{Response, Status};

/// Creates the response to a request that failed, with the reason and, if possible, what to do instead.
#[must_use]
pub fn error_response(status: Status, why: &str) -> Response {
    let (why, code) = (Value::from(why), status.code());
    Response::new(status, "application/json", format!("{{\"error\":{why},\"status\":{code}}}\n").into_bytes())
}
