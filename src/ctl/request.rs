//! The HTTP request for each command: method, path and body. Sending it is up to the client.

use serde_json::{Value, json};

use super::{Action, Victims};
use crate::plan::RouteState;
use crate::value::CloseMode;

/// A request to the admin server.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub method: &'static str,
    /// The path and the query.
    pub path: String,
    pub body: Option<Value>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The request that does what `action` says.
    pub fn of(action: &Action) -> Self {
        match action {
            Action::Routes => Self::new("GET", "/v1/routes"),
            Action::Connections(None) => Self::new("GET", "/v1/connections"),
            Action::Connections(Some(route)) => {
                Self::new("GET", format!("/v1/connections?route={}", encoded(route.as_str())))
            }
            Action::AddToxic(route, toxic) => {
                Self::new("POST", format!("{}/toxics", proxy(route.as_str()))).with_body(json!(toxic))
            }
            Action::UpdateToxic(route, name, change) => {
                Self::new("PATCH", toxic(route.as_str(), name.as_str())).with_body(json!(change))
            }
            Action::RemoveToxic(route, name) => Self::new("DELETE", toxic(route.as_str(), name.as_str())),
            Action::Switch(route, state) => {
                Self::new("PATCH", proxy(route.as_str())).with_body(json!({ "enabled": *state == RouteState::Enabled }))
            }
            Action::Kill(victims, mode) => Self::kill(victims, *mode),
            Action::Reset => Self::new("POST", "/reset"),
            Action::Reload => Self::new("POST", "/v1/reload"),
            Action::Config => Self::new("GET", "/v1/config"),
            Action::Events => Self::new("GET", "/v1/events"),
            Action::Health => Self::new("GET", "/v1/health"),
        }
    }

    /// The request that ends connections.
    pub fn kill(victims: &Victims, mode: CloseMode) -> Self {
        match (victims, mode) {
            (Victims::Connection(id) | Victims::RouteOrConnection(id), CloseMode::Close) => {
                Self::new("DELETE", format!("/v1/connections/{id}"))
            }
            (Victims::Connection(id) | Victims::RouteOrConnection(id), CloseMode::Reset) => {
                Self::new("DELETE", format!("/v1/connections/{id}?reset=true"))
            }
            (Victims::Route(route), CloseMode::Close) => {
                Self::new("DELETE", format!("/v1/connections?route={}", encoded(route.as_str())))
            }
            (Victims::Route(route), CloseMode::Reset) => {
                Self::new("DELETE", format!("/v1/connections?route={}&reset=true", encoded(route.as_str())))
            }
        }
    }
}

fn proxy(route: &str) -> String {
    format!("/proxies/{}", encoded(route))
}

fn toxic(route: &str, name: &str) -> String {
    format!("{}/toxics/{}", proxy(route), encoded(name))
}

/// A name as a part of a path or a query: percent-encoded, except for the characters that never need it (RFC 3986,
/// 2.3).
fn encoded(name: &str) -> String {
    let encoded = name.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::RouteName;

    fn name(text: &str) -> RouteName {
        text.parse().expect("a name")
    }

    #[test]
    fn names_are_percent_encoded() {
        let requests = [
            Request::of(&Action::Connections(Some(name("a b&c")))),
            Request::of(&Action::RemoveToxic(name("[::]:80/ä"), "50%".parse().expect("a name"))),
        ];
        let paths = requests.map(|request| request.path);
        assert_eq!(paths, ["/v1/connections?route=a%20b%26c", "/proxies/%5B%3A%3A%5D%3A80%2F%C3%A4/toxics/50%25"]);
    }

    #[test]
    fn a_kill_names_a_connection_or_a_route() {
        let path = |victims, mode| Request::kill(&victims, mode).path;
        assert_eq!(path(Victims::Connection(7), CloseMode::Close), "/v1/connections/7");
        assert_eq!(path(Victims::Connection(7), CloseMode::Reset), "/v1/connections/7?reset=true");
        assert_eq!(path(Victims::Route(name("8180")), CloseMode::Close), "/v1/connections?route=8180");
        assert_eq!(path(Victims::Route(name("web")), CloseMode::Reset), "/v1/connections?route=web&reset=true");
    }
}
