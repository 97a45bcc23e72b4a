//! Routes in the format of Toxiproxy's config file, which has the address and the port in one key, `listen`. Its API
//! prints an object of routes by name: that is recognised, but not accepted.

use super::Check;
use super::listen::has_listen;
use crate::config::document::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::keys::UPSTREAM;

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
