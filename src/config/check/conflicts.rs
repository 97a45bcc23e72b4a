//! Reports conflicts of routes: which route has to change, and which one it conflicts with.

use super::Check;
use super::listen::has_listen;
use crate::config::document::{Node, Value};
use crate::config::problem::{Problem, SourceSpan};
use crate::plan::keys::{ADMIN, LISTEN, LOCAL_PORT, ROUTES};
use crate::plan::{Conflict, Plan, Route, RouteKey, overlap};
use crate::value::RouteName;

impl Check<'_> {
    /// Reports conflicts among routes; their indices are those of `nodes` and `keys`.
    pub(super) fn conflicts(&mut self, conflicts: Vec<Conflict>, nodes: &[Node], keys: &[RouteKey]) {
        let routes = WrittenRoutes { nodes, keys };
        self.problems.extend(conflicts.into_iter().filter_map(|conflict| routes.problem(conflict)));
    }

    /// Reports routes that listen on the address of the admin server. On another address of this machine they may have
    /// the same port: a request can add such a route, and the config of the run must start the same.
    pub(super) fn admin_conflicts(&mut self, root: &Node, plan: &Plan) {
        let (Some(addr), Some(admin), Some(list)) = (plan.admin(), root.get(ADMIN.name), root.get(ROUTES.name)) else {
            return;
        };
        let Value::List(nodes) = &list.value else { return };
        let keys: Vec<RouteKey> = plan.routes().iter().map(Route::key).collect();
        let routes = WrittenRoutes { nodes, keys: &keys };
        let is_taken = |key: &RouteKey| {
            let same_port = key.port.is_some_and(|port| port.get() == addr.port());
            same_port && key.bind.is_some_and(|bind| overlap(bind, addr.ip()))
        };
        let problem = |route| {
            let what = format!("port {} is that of the admin server", addr.port());
            let problem = Problem::at(routes.port(route), what, "give each of them a port of its own");
            problem.also(admin.place.used, "used here")
        };
        self.problems.extend((0..keys.len()).filter(|&route| is_taken(&keys[route])).map(problem));
    }
}

struct WrittenRoutes<'r> {
    nodes: &'r [Node],
    keys: &'r [RouteKey],
}

impl WrittenRoutes<'_> {
    fn problem(&self, conflict: Conflict) -> Option<Problem> {
        match conflict {
            Conflict::SamePort { first, second } => Some(self.same_port(first, second)),
            Conflict::SameName { first, second } => self.same_name(first, second),
            Conflict::Loop(round) => self.circle(&round),
        }
    }

    fn same_port(&self, first: usize, second: usize) -> Problem {
        let port = self.keys[second].port.map(|port| port.to_string()).unwrap_or_default();
        let what = format!("port {port} is used twice");
        Problem::at(self.port(second), what, "give each route a port of its own")
            .also(self.port(first), "first used here")
    }

    /// Two routes without names have the same one only because of their ports, which is reported already.
    fn same_name(&self, first: usize, second: usize) -> Option<Problem> {
        let [first_named, second_named] = [first, second].map(|route| self.nodes[route].get("name").is_some());
        let name = self.name(second);
        let position = |route, named| if named { self.position(route, "name") } else { self.port(route) };
        let (what, hint) = match (first_named, second_named) {
            (true, true) => (format!("the name `{name}` is used twice"), "give each route a name of its own"),
            (false, true) => (format!("`{name}` is what the route on that port is called"), "use another name"),
            (true, false) => {
                (format!("a route without a name is called by its port, but `{name}` is taken"), "give this one a name")
            }
            (false, false) => return None,
        };
        let problem = Problem::at(position(second, second_named), what, hint);
        Some(problem.also(position(first, first_named), "first used here"))
    }

    fn circle(&self, round: &[usize]) -> Option<Problem> {
        let (&first, rest) = round.split_first()?;
        let what = match rest {
            [] => format!("route `{}` is its own upstream", self.name(first)),
            _ => format!("these routes feed each other in a loop: {}", self.chain(round)),
        };
        let hint = "point it elsewhere: else each connection opens another one, without end";
        let problem = Problem::at(self.position(first, "upstream"), what, hint);
        let rest = rest.iter().take(MOST_SHOWN).map(|&route| self.position(route, "upstream"));
        Some(rest.fold(problem, |problem, upstream| problem.also(upstream, "and on from here")))
    }

    /// `a -> b -> a`, with the middle of a long one left out.
    fn chain(&self, round: &[usize]) -> String {
        let mut names: Vec<&str> = round.iter().take(MOST_SHOWN).map(|&route| self.name(route)).collect();
        if round.len() > MOST_SHOWN {
            names.push("…");
        }
        names.extend(round.first().map(|&route| self.name(route)));
        names.join(" -> ")
    }

    fn name(&self, route: usize) -> &str {
        self.keys[route].name.as_ref().map(RouteName::as_str).unwrap_or_default()
    }

    /// The position of the port of a route.
    fn port(&self, route: usize) -> SourceSpan {
        let key = if has_listen(&self.nodes[route]) { LISTEN } else { LOCAL_PORT };
        self.position(route, key.name)
    }

    /// The position of the value of `key` in a route, or of the whole route.
    fn position(&self, route: usize, key: &str) -> SourceSpan {
        let node = &self.nodes[route];
        node.get(key).unwrap_or(node).place.used
    }
}

/// The number of routes of a loop that are named and shown.
const MOST_SHOWN: usize = 8;
