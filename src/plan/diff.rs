//! The smallest set of changes from the live routes to the wanted ones. Routes are identified by name.

use std::collections::{HashMap, HashSet};

use super::Route;
use crate::value::RouteName;

/// A change of one route.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The route is new.
    Add(Route),
    /// The route is not wanted any more.
    Remove(RouteName),
    /// The listen address, the upstream or the state changes: the listener is closed, opened or replaced.
    Restart(Route),
    /// Only the faults change: the listener and the connections stay.
    Adjust(Route),
}

impl Change {
    /// The name of the route.
    #[must_use]
    pub fn route_name(&self) -> &RouteName {
        match self {
            Self::Remove(name) => name,
            Self::Add(route) | Self::Restart(route) | Self::Adjust(route) => &route.name,
        }
    }
}

/// Returns the changes from `live` to `wanted`: first the removals, then the others in the order of `wanted`. Unchanged
/// routes need none.
#[must_use]
pub fn diff(live: &[Route], wanted: &[Route]) -> Vec<Change> {
    let old: HashMap<&RouteName, &Route> = live.iter().map(|route| (&route.name, route)).collect();
    let kept: HashSet<&RouteName> = wanted.iter().map(|route| &route.name).collect();
    let removed =
        live.iter().filter(|route| !kept.contains(&route.name)).map(|route| Change::Remove(route.name.clone()));
    let changed = wanted.iter().filter_map(|route| match old.get(&route.name) {
        None => Some(Change::Add(route.clone())),
        Some(old) if *old == route => None,
        Some(old) if has_same_listener(old, route) => Some(Change::Adjust(route.clone())),
        Some(_) => Some(Change::Restart(route.clone())),
    });
    removed.chain(changed).collect()
}

fn has_same_listener(one: &Route, other: &Route) -> bool {
    let of = |route: &Route| (route.listen(), route.upstream, route.transparency, route.state);
    of(one) == of(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{RouteState, Transparency};
    use crate::value::{Millis, Port};

    fn route(name: &str, port: u16, upstream: &str) -> Route {
        let port = Port::try_from(i128::from(port)).expect("a port");
        let (name, upstream) = (name.parse().expect(name), upstream.parse().expect(upstream));
        Route::without_faults(name, [127, 0, 0, 1].into(), port, upstream)
    }

    fn db() -> Route {
        route("db", 1, "127.0.0.1:11")
    }

    #[test]
    fn the_same_routes_need_no_change() {
        let cache = route("cache", 2, "127.0.0.1:12");
        assert_eq!(diff(&[], &[]), []);
        assert_eq!(diff(&[db(), cache.clone()], &[cache, db()]), []);
    }

    #[test]
    fn finds_added_and_removed_routes() {
        let cache = route("cache", 2, "127.0.0.1:12");
        assert_eq!(diff(&[], &[db()]), [Change::Add(db())]);
        assert_eq!(diff(&[db()], std::slice::from_ref(&cache)), [Change::Remove(db().name), Change::Add(cache)]);
    }

    #[test]
    fn a_changed_address_restarts_the_route() {
        let elsewhere = [
            Route { port: Port::try_from(9).expect("a port"), ..db() },
            Route { bind: [127, 0, 0, 2].into(), ..db() },
            Route { upstream: "127.0.0.1:99".parse().expect("an address"), ..db() },
            Route { transparency: Transparency::Transparent, ..db() },
            Route { state: RouteState::Disabled, ..db() },
        ];
        for route in elsewhere {
            assert_eq!(diff(&[db()], std::slice::from_ref(&route)), [Change::Restart(route)]);
        }
    }

    #[test]
    fn changed_faults_adjust_the_route() {
        let slower = Route { latency: Millis::try_from(5).expect("milliseconds"), ..db() };
        assert_eq!(diff(&[db()], std::slice::from_ref(&slower)), [Change::Adjust(slower)]);
    }
}
