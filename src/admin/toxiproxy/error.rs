//! Why a request failed, with Toxiproxy's status and text.

use std::io;
use std::net::SocketAddr;

use serde_json::json;

use crate::config::Report;
use crate::http::{Response, Status};
use crate::proxy::ApplyError;
use crate::value::Rejected;

/// The most problems in one text. Each takes time in proportion to the length of the body.
const MAX_PROBLEMS: usize = 10;

/// Why a request failed.
#[derive(Debug)]
pub enum ToxiproxyError {
    /// The body is not what it has to be. The text names the cause and a fix.
    BadBody(String),
    /// A required field is missing or empty. The text names it, and which proxy of a list lacks it.
    MissingField(String),
    /// The stream is not a stream.
    InvalidStream,
    /// There is no such type of toxic.
    InvalidType,
    /// There is no proxy of that name.
    ProxyNotFound,
    /// The proxy has no toxic of that name.
    ToxicNotFound,
    /// There is a proxy of that name.
    ProxyExists,
    /// The proxy has a toxic of that name, in either stream.
    ToxicExists,
    /// The address can't be listened on.
    Bind(SocketAddr, io::Error),
    /// The routes can't be live together.
    Conflict(String),
    /// The run ends.
    Draining(String),
    /// A lack of resources.
    Internal(String),
}

impl ToxiproxyError {
    /// For a field with an invalid text.
    pub fn of_field(field: &str, rejected: &Rejected) -> Self {
        Self::BadBody(format!("{field}: {rejected}"))
    }

    /// For a toxic with invalid values.
    pub fn of_toxic(report: &Report) -> Self {
        let problems = report.problems().take(MAX_PROBLEMS);
        let problems: Vec<String> =
            problems.map(|(_, problem)| format!("{}; {}", problem.what(), problem.hint())).collect();
        Self::BadBody(problems.join(". "))
    }

    /// For a port that another route has.
    pub fn in_use(listen: SocketAddr) -> Self {
        Self::Bind(listen, rustix::io::Errno::ADDRINUSE.into())
    }

    /// Whether the port is in use.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Bind(_, error) if error.kind() == io::ErrorKind::AddrInUse)
    }

    /// The same for one proxy of a list, numbered from 1.
    pub fn at_proxy(self, number: usize) -> Self {
        match self {
            Self::BadBody(text) => Self::BadBody(format!("proxy {number}: {text}")),
            Self::MissingField(field) => Self::MissingField(format!("{field} at proxy {number}")),
            other => other,
        }
    }

    /// The status of the response.
    pub fn status(&self) -> Status {
        match self {
            Self::BadBody(_) | Self::MissingField(_) | Self::InvalidStream | Self::InvalidType | Self::Conflict(_) => {
                Status::BadRequest
            }
            Self::ProxyNotFound | Self::ToxicNotFound => Status::NotFound,
            Self::ProxyExists | Self::ToxicExists => Status::Conflict,
            Self::Bind(..) | Self::Internal(_) => Status::InternalServerError,
            Self::Draining(_) => Status::ServiceUnavailable,
        }
    }

    /// The text of the response. Clients compare it.
    pub fn text(&self) -> String {
        match self {
            Self::BadBody(text) => format!("bad request body: {text}"),
            Self::MissingField(field) => format!("missing required field: {field}"),
            Self::InvalidStream => "stream was invalid, can be either upstream or downstream".to_owned(),
            Self::InvalidType => "invalid toxic type".to_owned(),
            Self::ProxyNotFound => "proxy not found".to_owned(),
            Self::ToxicNotFound => "toxic not found".to_owned(),
            Self::ProxyExists => "proxy already exists".to_owned(),
            Self::ToxicExists => "toxic already exists".to_owned(),
            Self::Bind(listen, error) => format!("listen tcp {listen}: bind: {}", system_text(error)),
            Self::Conflict(text) | Self::Draining(text) | Self::Internal(text) => text.clone(),
        }
    }

    /// The response: text, although it is JSON, as in Toxiproxy.
    pub fn response(&self) -> Response {
        let (error, status) = (json!(self.text()), self.status().code());
        let line = format!(r#"{{"error":{error},"status":{status}}}"#);
        Response::text(self.status(), &line).with_header("X-Content-Type-Options", "nosniff")
    }
}

impl From<ApplyError> for ToxiproxyError {
    fn from(error: ApplyError) -> Self {
        let text = error.to_string();
        match error {
            ApplyError::Conflict(_) => Self::Conflict(text),
            ApplyError::Bind(failed) => match failed.into_iter().next() {
                Some((route, error)) => Self::Bind(route.listen(), error),
                None => Self::Internal(text),
            },
            ApplyError::Starved(_) => Self::Internal(text),
            ApplyError::Draining => Self::Draining(text),
        }
    }
}

/// The text of an error of the system as Go prints it: in lower case, without the number.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_system_errors_as_go_does() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 3310));
        for (error, text) in [
            (rustix::io::Errno::ADDRINUSE, "address already in use"),
            (rustix::io::Errno::ADDRNOTAVAIL, "cannot assign requested address"),
            (rustix::io::Errno::ACCESS, "permission denied"),
        ] {
            let failure = ToxiproxyError::Bind(listen, error.into());
            assert_eq!(failure.text(), format!("listen tcp 127.0.0.1:3310: bind: {text}"));
        }
        assert!(ToxiproxyError::in_use(listen).is_in_use());
    }
}
