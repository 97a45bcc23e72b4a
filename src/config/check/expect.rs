//! The expectations of a file: conditions on the figures of a run.

use super::Check;
use super::keys::{Keys, MapKind};
use crate::config::document::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::keys::{EXPECT, EXPECTED_ROUTE};
use crate::plan::{Comparison, Condition, Expectation, METRICS, Route, Scope};
use crate::spelling::nearest;

/// The number of routes that a hint names.
const MOST_NAMED: usize = 8;

const EXAMPLE: &str = r#"write a list, such as [ { "connections": ">= 100", "failedDials": 0 } ]"#;

impl<'t> Check<'t> {
    pub(super) fn expectations(&mut self, node: &'t Node) -> Option<Vec<Expectation>> {
        match &node.value {
            Value::List(nodes) => {
                // All are read, so that each problem is reported.
                let read: Vec<Option<Expectation>> = nodes.iter().map(|node| self.expectation(node)).collect();
                read.into_iter().collect()
            }
            Value::Map(_) => self.expected("a list of expectations", node, "put it into a list: [ {…} ]"),
            _ => self.expected("a list of expectations", node, EXAMPLE),
        }
    }

    fn expectation(&mut self, node: &'t Node) -> Option<Expectation> {
        let mut keys = Keys::of(self, node, MapKind::A("expectation"))?;
        let scope = keys.read(&EXPECTED_ROUTE);
        let conditions = METRICS.iter().filter_map(|(key, metric)| {
            let want = keys.read_with(key, Check::comparison, None)?;
            Some(Condition { metric: *metric, want })
        });
        let conditions: Vec<Condition> = conditions.collect();
        keys.finish();
        if is_empty(node) {
            let hint = "add a metric and a comparison, such as \"connections\": \">= 100\"";
            self.problems.push(Problem::at(node.place.written, "this expects nothing", hint));
        }
        Some(Expectation { scope: scope?, conditions })
    }

    fn comparison(&mut self, node: &'t Node) -> Option<Comparison> {
        let hint = "write a number, or a comparison such as \">= 100\"";
        let Some(scalar) = node.scalar() else { return self.expected("a comparison", node, hint) };
        let read = Comparison::read(&scalar);
        read.map_err(|reason| self.problems.push(Problem::rejected(node.place.written, reason))).ok()
    }

    /// Reports routes that the file doesn't have. Call it if none can be added later.
    pub(super) fn unknown_routes(&mut self, root: &Node, expectations: &[Expectation], routes: &[Route]) {
        let Some(Value::List(nodes)) = root.get(EXPECT.name).map(|node| &node.value) else { return };
        let known: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        for (Expectation { scope, .. }, node) in expectations.iter().zip(nodes) {
            let Scope::Route(name) = scope else { continue };
            let Some(route) = node.get(EXPECTED_ROUTE.name).filter(|_| !known.contains(&name.as_str())) else {
                continue;
            };
            let hint = match nearest(name.as_str(), &known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the routes are {}", known[..known.len().min(MOST_NAMED)].join(", ")),
            };
            self.problems.push(Problem::at(route.place.written, format!("there is no route `{name}`"), hint));
        }
    }
}

/// Whether an expectation has no key that was meant as a metric.
fn is_empty(expectation: &Node) -> bool {
    let Value::Map(entries) = &expectation.value else { return false };
    entries.len() == usize::from(expectation.get(EXPECTED_ROUTE.name).is_some())
}
