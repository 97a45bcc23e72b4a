//! Routes in the format of Toxiproxy's config file, which has the address and the port in one key, `listen`. Its API
//! prints an object of routes by name: that is recognised, but not accepted.

use std::net::IpAddr;

use super::Check;
use super::keys::Keys;
use crate::config::document::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::keys::{BIND, LISTEN, LOCAL_PORT, UPSTREAM};
use crate::plan::{Bind, ListenAddress};
use crate::value::Port;

/// Whether a route has the key of that format.
pub(super) fn has_listen(node: &Node) -> bool {
    node.get(LISTEN.name).is_some()
}

/// Whether a map has such routes by name.
pub(super) fn has_routes_by_name(root: &Node) -> bool {
    let is_route = |node: &Node| has_listen(node) && node.get(UPSTREAM.name).is_some();
    matches!(&root.value, Value::Map(entries) if entries.iter().any(|(_, value)| is_route(value)))
}

impl<'t> Check<'t> {
    /// Reports a map of such routes, and the other problems of each.
    pub(super) fn routes_by_name(&mut self, root: &'t Node) {
        let what = "expected a list of routes, found an object of routes by name, as Toxiproxy's API prints it";
        self.problems.push(Problem::at(root.place.written, what, "write a list of its values: [ {…}, {…} ]"));
        let Value::Map(entries) = &root.value else { return };
        for (_, node) in entries.iter().filter(|(_, node)| has_listen(node)) {
            drop(self.route(node));
        }
    }
}

impl Keys<'_, '_> {
    /// The port and the address that a route listens on, in two keys.
    pub(super) fn port_and_bind(&mut self, default: IpAddr) -> (Option<Port>, Option<IpAddr>) {
        let port = self.read(&LOCAL_PORT);
        (port, self.read_with(&BIND, |check, node| check.value(node).map(Bind::ip), default))
    }

    /// The same of a route that has them in one key. Reports the others, which would say it again.
    pub(super) fn listen(&mut self) -> (Option<Port>, Option<IpAddr>) {
        for (key, _) in self.take(&[LOCAL_PORT, BIND]) {
            let what = "a route has either `listen`, or `localPort` and `bind`";
            self.report(Problem::at(key.place.written, what, "remove one: `listen` has the address and the port"));
        }
        let listen: Option<ListenAddress> = self.read(&LISTEN);
        (listen.map(ListenAddress::port), listen.map(ListenAddress::ip))
    }
}
