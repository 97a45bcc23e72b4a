//! The admin server: changes routes while the proxy runs. All changes go through [`Supervisor::edit`].

mod toxiproxy;

use std::sync::Arc;

use crate::config::Defaults;
use crate::http::{Request, Response, Status};
use crate::proxy::Supervisor;

/// What requests read and change.
#[derive(Debug)]
pub struct Api {
    supervisor: Arc<Supervisor>,
    #[expect(dead_code, reason = "no request makes a route yet")]
    defaults: Defaults,
}

impl Api {
    /// Routes of requests take `defaults` for keys that they leave out.
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>, defaults: Defaults) -> Self {
        Self { supervisor, defaults }
    }

    /// Answers a request.
    #[must_use]
    pub fn respond(&self, request: &Request) -> Response {
        let answer = toxiproxy::respond(self, request);
        answer.unwrap_or_else(|| Response::text(Status::NotFound, "404 page not found"))
    }
}
