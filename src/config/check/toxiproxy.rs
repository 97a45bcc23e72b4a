//! Routes in the format of Toxiproxy's config file and API. They are recognised, not read: the error shows the same route
//! with the keys of this format.

use std::net::{Ipv4Addr, SocketAddr};

use super::Check;
use super::values::short;
use crate::config::document::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::Upstream;
use crate::plan::keys::{LOCAL_PORT, NAME, TOXICS, UPSTREAM};
use crate::value::Scalar;

const LISTEN: &str = "listen";

/// Whether a map is a route in that format.
pub(super) fn is_toxiproxy(node: &Node) -> bool {
    node.get(LISTEN).is_some() && node.get(UPSTREAM.name).is_some() && node.get(LOCAL_PORT.name).is_none()
}

/// Whether a map has such routes by name, as Toxiproxy's API prints them.
pub(super) fn has_toxiproxy_routes(root: &Node) -> bool {
    matches!(&root.value, Value::Map(entries) if entries.iter().any(|(_, value)| is_toxiproxy(value)))
}

impl<'t> Check<'t> {
    /// Reports such a route.
    pub(super) fn toxiproxy_route(&mut self, node: &'t Node) {
        let what = "this route has the format of Toxiproxy";
        self.problems.push(Problem::at(node.place.written, what, format!("write {}", in_our_keys(node))));
    }

    /// Reports a map of such routes.
    pub(super) fn toxiproxy_routes(&mut self, root: &'t Node) {
        let what = "expected a list of routes, found an object of routes by name, as Toxiproxy prints it";
        self.problems.push(Problem::at(root.place.written, what, "write a list: [ {…}, {…} ]"));
        let Value::Map(entries) = &root.value else { return };
        for (_, node) in entries.iter().filter(|(_, node)| is_toxiproxy(node)) {
            self.toxiproxy_route(node);
        }
    }
}

fn in_our_keys(node: &Node) -> String {
    let text = |key: &str| match node.get(key).and_then(Node::scalar) {
        Some(Scalar::Text(text)) => Some(short(&text).to_owned()),
        _ => None,
    };
    let (bind, port) = listen(&text(LISTEN).unwrap_or_default());
    let upstream = text(UPSTREAM.name).map(|text| upstream(&text)).unwrap_or_default();
    let entries = [
        text(NAME.name).map(|name| format!("\"name\": {}", Scalar::Text(name))),
        bind.map(|bind| format!("\"bind\": \"{bind}\"")),
        Some(format!("\"localPort\": {port}")),
        Some(format!("\"upstream\": {}", Scalar::Text(upstream))),
        node.get(TOXICS.name).map(|_| "\"toxics\": […] as they are".to_owned()),
    ];
    format!("{{ {} }}", entries.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The `bind`, unless it is the default, and the `localPort` of `127.0.0.1:80`, `localhost:80` or `:80`, which is every
/// address in Go.
fn listen(text: &str) -> (Option<String>, String) {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip() == Ipv4Addr::LOCALHOST => (None, address.port().to_string()),
        Ok(address) => (Some(address.ip().to_string()), address.port().to_string()),
        Err(_) => match text.rsplit_once(':') {
            Some(("", port)) => (Some("::".to_owned()), port.to_owned()),
            Some((_, port)) => (None, port.to_owned()),
            None => (None, "PORT".to_owned()),
        },
    }
}

/// Toxiproxy takes host names too.
fn upstream(text: &str) -> String {
    match text.rsplit_once(':') {
        _ if text.parse::<Upstream>().is_ok() => text.to_owned(),
        Some(("localhost" | "", port)) => format!("127.0.0.1:{port}"),
        Some((_, port)) => format!("IP:{port}"),
        None => "IP:PORT".to_owned(),
    }
}
