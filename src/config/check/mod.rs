//! Binds the tree to a plan, or reports every problem in one pass: an invalid value hides no other.
//!
//! A key of a route is a line of `Check::route`, and is declared in `plan::keys`. The keys of toxics are read in
//! `toxics`, their attributes in `attributes`, the steps of a scenario in `scenario` and `settings`, the expectations
//! in `expect`. `keys` reads a map, `values` one value. `conflicts` reports conflicts of routes, `dry_run` those of
//! steps.

mod attributes;
mod conflicts;
mod dry_run;
mod expect;
mod keys;
mod listen;
mod scenario;
mod scope;
mod settings;
mod synonyms;
mod toxics;
mod toxiproxy;
mod trigger;
mod values;

use crate::plan::keys::{
    ADMIN, CONNECT_TIMEOUT, DROP_MODE, DROP_RATE, ENABLED, EXPECT, LATENCY, LOCAL_PORT, NAME, PROFILE, ROUTES,
    SCENARIO, SEED, TOXICS, TRANSPARENT, UPSTREAM,
};
use crate::plan::{Conflict, Plan, PortChoice, Route, RouteKey, RouteState, Scenario};
use crate::toxic::Toxic;
use crate::value::{RouteName, Seed, ToxicName};

use super::auto_port::AutoPorts;
use super::document::{Node, Value};
use super::lookup::{Resolved, Resolver};
use super::problem::{Problem, SourceSpan};
use super::{Defaults, EmptyList};
use keys::{Keys, MapKind};
use listen::{Listen, has_listen};
use toxiproxy::has_routes_by_name;

/// Binds the tree that was read from `text`, a file.
pub(super) fn plan(text: &str, root: &Node, defaults: Defaults) -> Result<Resolved<Plan>, Vec<Problem>> {
    check(text, defaults, |check| check.file(root))
}

/// The same for a text that is one route, with this name if there is one.
pub(super) fn route(
    text: &str,
    root: &Node,
    defaults: Defaults,
    name: Option<&RouteName>,
) -> Result<Resolved<Route>, Vec<Problem>> {
    check(text, defaults, |check| {
        check.name = name.cloned();
        let draft = check.route(root);
        let key = draft.as_ref().map_or_else(RouteKey::clone, Route::key);
        let keys = std::slice::from_ref(&key);
        check.conflicts(Conflict::among(keys), std::slice::from_ref(root), keys);
        draft.ok()
    })
}

/// The same for a text that is one toxic, with this name if it has none.
pub(super) fn toxic(text: &str, root: &Node, name: Option<&ToxicName>) -> Result<Toxic, Vec<Problem>> {
    check(text, Defaults::default(), |check| check.lone_toxic(root, name)).map(|checked| checked.value)
}

/// The same for toxics that no file has: those of a profile, and then the others.
pub(super) fn toxics<'t>(
    text: &'t str,
    profile: Option<&'t Node>,
    toxics: &'t [Node],
) -> Result<Vec<Toxic>, Vec<Problem>> {
    check(text, Defaults::default(), |check| {
        let profile = profile.map_or(Some(Vec::new()), |node| check.profile(node));
        let toxics = check.each_toxic(toxics);
        check.chain(profile, Some(toxics))
    })
    .map(|checked| checked.value)
}

fn check<'t, T>(
    text: &'t str,
    defaults: Defaults,
    bind: impl FnOnce(&mut Check<'t>) -> Option<T>,
) -> Result<Resolved<T>, Vec<Problem>> {
    let resolver = Resolver::new(defaults.host_names);
    let auto_ports = AutoPorts::default();
    let mut check = Check { text, defaults, name: None, resolver, auto_ports, problems: Vec::new() };
    let value = bind(&mut check).filter(|_| check.problems.is_empty()).ok_or(check.problems)?;
    Ok(Resolved { value, lookups: check.resolver.lookups })
}

/// The hint where a list of routes is missing.
pub(super) const EXAMPLE: &str = r#"write a list, such as [ { "localPort": 8180, "upstream": "127.0.0.1:9090" } ]"#;

/// A route, or the parts that could be parsed of one that has problems.
type Draft = Result<Route, RouteKey>;

/// The problems so far. A function that reads a value returns `None` after it has reported a problem.
struct Check<'t> {
    text: &'t str,
    defaults: Defaults,
    /// The name of the only route, if it is known already.
    name: Option<RouteName>,
    resolver: Resolver,
    auto_ports: AutoPorts,
    problems: Vec<Problem>,
}

impl<'t> Check<'t> {
    /// A file is a list of routes, or an object that has one.
    fn file(&mut self, root: &'t Node) -> Option<Plan> {
        match &root.value {
            Value::Map(_) if is_route(root) => self.lone_route(root),
            Value::Map(_) if has_routes_by_name(root) => {
                self.routes_by_name(root);
                None
            }
            Value::Map(_) => self.file_object(root),
            _ => self.routes(root, None, self.defaults.empty_list),
        }
    }

    /// The keys of a file. With an admin server, routes may be added later.
    fn file_object(&mut self, root: &'t Node) -> Option<Plan> {
        let mut keys = Keys::of(self, root, MapKind::A("file"))?;
        let seed = keys.read::<Seed>(&SEED);
        let admin = keys.read(&ADMIN);
        let list = keys.read_with(&ROUTES, |_, node| Some(node), None);
        let scenario = keys.read_with(&SCENARIO, |_, node| Some(node), None);
        let expect = keys.read_with(&EXPECT, |_, node| Some(node), None);
        keys.finish();
        let empty_list = root.get(ADMIN.name).map_or(self.defaults.empty_list, |_| EmptyList::Allowed);
        let plan = list.and_then(|list| self.routes(list, seed.map(Seed::get), empty_list));
        let routes = plan.as_ref().map(Plan::routes);
        let scenario = scenario.map_or(Some(Scenario::default()), |node| self.scenario(node, routes));
        let all_routes = routes.filter(|_| empty_list == EmptyList::Rejected);
        let expectations = expect.map_or(Some(Vec::new()), |node| self.expectations(node, all_routes));
        let plan = plan?.with_admin(admin);
        self.admin_conflicts(root, &plan);
        Some(plan.with_scenario(scenario?).with_expectations(expectations?))
    }

    fn routes(&mut self, list: &'t Node, seed: Option<u64>, empty_list: EmptyList) -> Option<Plan> {
        let nodes = match &list.value {
            Value::List(nodes) => &nodes[..],
            Value::Null => &[],
            _ => return self.expected("a list of routes", list, EXAMPLE),
        };
        if nodes.is_empty() && empty_list == EmptyList::Rejected {
            self.problems.push(Problem::at(list.place.written, "there are no routes", EXAMPLE));
        }
        let drafts: Vec<Draft> = nodes.iter().map(|node| self.route(node)).collect();
        let keys: Vec<RouteKey> =
            drafts.iter().map(|it| it.as_ref().map_or_else(RouteKey::clone, Route::key)).collect();
        let plan = match drafts.into_iter().collect() {
            Ok(routes) => Plan::new(seed, routes),
            Err(_) => Err(Conflict::among(&keys)),
        };
        plan.map_err(|conflicts| self.conflicts(conflicts, nodes, &keys)).ok()
    }

    /// Reports the missing list, and the other problems of the route.
    fn lone_route(&mut self, root: &'t Node) -> Option<Plan> {
        let span = root.place.written;
        let hint = match &self.text[span.start..span.end] {
            "{" => "put it in brackets: [ {…} ]",
            _ => "begin its first line with `- ` and indent the others by two spaces",
        };
        self.problems.push(Problem::at(span, "this is one route where a list of routes belongs", hint));
        drop(self.route(root));
        None
    }

    /// The keys of a route.
    fn route(&mut self, node: &'t Node) -> Draft {
        let (defaults, known_name) = (self.defaults, self.name.clone());
        let Some(mut keys) = Keys::of(self, node, MapKind::A("route")) else { return Err(RouteKey::default()) };
        let Listen { port, port_choice, bind } =
            if has_listen(node) { keys.listen() } else { keys.port_and_bind(defaults.bind) };
        let upstream = keys.read_with(&UPSTREAM, Check::upstream, None);
        let name = match (known_name, port_choice) {
            (None, PortChoice::Auto) => keys.read_or_report(&NAME, Check::route_name, no_name),
            (None, PortChoice::Given) => keys.read_with(&NAME, Check::route_name, port.map(RouteName::from)),
            (known, _) => keys.read_with(&NAME, Check::route_name, known),
        };
        let transparency = keys.read(&TRANSPARENT);
        let state = keys.read(&ENABLED);
        let drop_rate = keys.read(&DROP_RATE);
        let drop_mode = keys.read(&DROP_MODE);
        let latency = keys.read(&LATENCY);
        let connect_timeout = keys.read(&CONNECT_TIMEOUT);
        let profile = keys.read_with(&PROFILE, Check::profile, Vec::new());
        let toxics = keys.read_with(&TOXICS, Check::toxics, Vec::new());
        keys.finish();
        let toxics = self.chain(profile, toxics);

        let listens = state != Some(RouteState::Disabled);
        let key =
            RouteKey { name: name.clone(), bind: bind.filter(|_| listens), port: port.filter(|_| listens), upstream };
        let route = || {
            Some(Route {
                name: name?,
                bind: bind?,
                port: port?,
                port_choice,
                upstream: upstream?,
                transparency: transparency?,
                drop_rate: drop_rate?,
                drop_mode: drop_mode?,
                latency: latency?,
                connect_timeout: connect_timeout?,
                state: state?,
                toxics: toxics?,
            })
        };
        route().ok_or(key)
    }

    fn route_name(&mut self, node: &'t Node) -> Option<RouteName> {
        let name = self.value(node)?;
        match &self.name {
            Some(known) if *known != name => {
                let what = format!("the name is `{name}`, but this is the route `{known}`");
                self.problems.push(Problem::at(
                    node.place.written,
                    what,
                    format!("leave `name` out, or write `{known}`"),
                ));
                None
            }
            _ => Some(name),
        }
    }
}

/// What is wrong with a route without a name whose port is that of the system.
fn no_name(route: SourceSpan) -> Problem {
    let hint = "add `name`: its faults are drawn for it, and clients find the port by it";
    Problem::at(route, "a route with the port \"auto\" has no `name`", hint)
}

/// Whether a map at the top is a route that lacks its list.
fn is_route(root: &Node) -> bool {
    root.get(LOCAL_PORT.name).or(root.get(UPSTREAM.name)).is_some()
}
