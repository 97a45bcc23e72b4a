//! The route that a step or an expectation names.

use super::Check;
use crate::config::document::Node;
use crate::config::problem::Problem;
use crate::plan::{Route, Scope};
use crate::spelling::nearest;

/// The most routes that a hint names.
const MAX_NAMED: usize = 8;

impl Check<'_> {
    /// The routes that a step or an expectation is about. Reports one that is not among `routes`, unless these are
    /// unknown.
    pub(super) fn scope(&mut self, node: &Node, routes: Option<&[Route]>) -> Option<Scope> {
        let scope: Scope = self.value(node)?;
        let (Scope::Route(name), Some(routes)) = (&scope, routes) else { return Some(scope) };
        let known: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        if known.contains(&name.as_str()) {
            return Some(scope);
        }
        let hint = match nearest(name.as_str(), &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the routes are {}", known[..known.len().min(MAX_NAMED)].join(", ")),
        };
        self.problems.push(Problem::at(node.place.written, format!("there is no route `{name}`"), hint));
        None
    }
}
