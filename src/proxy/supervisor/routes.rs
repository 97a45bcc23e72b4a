//! The live routes by name, with their listeners and their counters.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::plan::{Change, Route};
use crate::proxy::counters::RouteCounters;
use crate::proxy::live_route::LiveRoute;
use crate::stop::Latch;
use crate::value::RouteName;

/// How long listeners have to empty their backlogs and close their ports.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// The live routes, in the order of the plan.
#[derive(Debug, Default)]
pub struct Routes {
    live: Vec<Handle>,
    /// All routes so far, including removed ones.
    known: HashMap<RouteName, Known>,
}

/// What is kept of a route after its removal. A route that is added again continues its counts, so that the same seed gives
/// the same draws, and has the connections that its predecessor has left.
#[derive(Debug, Default)]
struct Known {
    counters: Arc<RouteCounters>,
    route: Weak<LiveRoute>,
}

/// A live route.
#[derive(Debug)]
struct Handle {
    route: Arc<LiveRoute>,
    /// Absent while the route is disabled.
    listener: Option<RunningListener>,
}

/// A listener that runs on its own thread.
#[derive(Debug)]
pub struct RunningListener {
    pub stop: Arc<Latch>,
    /// Disconnects when the port is closed.
    pub closed: Receiver<Infallible>,
}

impl Routes {
    /// The routes as configured.
    pub fn plan(&self) -> Vec<Route> {
        self.live.iter().map(|handle| Route::clone(&handle.route.generation().route)).collect()
    }

    pub fn live(&self) -> Vec<Arc<LiveRoute>> {
        self.live.iter().map(|handle| Arc::clone(&handle.route)).collect()
    }

    /// Returns the live route of that name, or a new one. Reusing it keeps its toxics shared by all connections,
    /// whichever listener accepted them.
    pub fn live_route(&mut self, route: &Route, seed: u64) -> io::Result<Arc<LiveRoute>> {
        let known = self.known.entry(route.name.clone()).or_default();
        if let Some(live) = known.route.upgrade() {
            return Ok(live);
        }
        let live = Arc::new(LiveRoute::new(route.clone(), seed, Arc::clone(&known.counters))?);
        known.route = Arc::downgrade(&live);
        Ok(live)
    }

    /// The routes that have connections or listeners and change, and what they change to.
    pub fn replacements(&self, changes: &[Change]) -> Vec<(Arc<LiveRoute>, Route)> {
        let replaced = |change: &Change| match change {
            Change::Adjust(route) | Change::Restart(route) | Change::Add(route) => {
                Some((self.known.get(&route.name)?.route.upgrade()?, route.clone()))
            }
            Change::Remove(_) => None,
        };
        changes.iter().filter_map(replaced).collect()
    }

    /// The routes whose listener must close, with its address.
    pub fn closing(&self, changes: &[Change]) -> Vec<(RouteName, SocketAddr)> {
        let closed = |change: &Change| {
            let name = match change {
                Change::Remove(name) => name,
                Change::Restart(route) => &route.name,
                Change::Add(_) | Change::Adjust(_) => return None,
            };
            let handle = self.live.iter().find(|handle| handle.has_name(name) && handle.listener.is_some())?;
            Some((name.clone(), handle.route.generation().route.listen()))
        };
        changes.iter().filter_map(closed).collect()
    }

    /// Adds routes without listeners.
    pub fn add(&mut self, routes: Vec<Arc<LiveRoute>>) {
        self.live.extend(routes.into_iter().map(|route| Handle { route, listener: None }));
    }

    pub fn remove(&mut self, name: &RouteName) {
        self.live.retain(|handle| !handle.has_name(name));
    }

    /// Sorts the routes in the order of `plan`.
    pub fn sort_as(&mut self, plan: &[Route]) {
        let place = |handle: &Handle| plan.iter().position(|route| handle.has_name(&route.name));
        self.live.sort_by_cached_key(place);
    }

    pub fn set_listener(&mut self, name: &RouteName, listener: RunningListener) {
        if let Some(handle) = self.live.iter_mut().find(|handle| handle.has_name(name)) {
            handle.listener = Some(listener);
        }
    }

    /// Takes the listener of each of these routes, if it has one.
    pub fn take_listeners(&mut self, names: &[RouteName]) -> Vec<RunningListener> {
        let handles = self.live.iter_mut().filter(|handle| names.iter().any(|name| handle.has_name(name)));
        handles.filter_map(|handle| handle.listener.take()).collect()
    }

    pub fn take_all_listeners(&mut self) -> Vec<RunningListener> {
        self.live.iter_mut().filter_map(|handle| handle.listener.take()).collect()
    }
}

impl Handle {
    fn has_name(&self, name: &RouteName) -> bool {
        self.route.name() == name
    }
}

/// Stops listeners and waits until their ports are closed. Without the wait, a port to bind again could still be in use,
/// and a count of connections could miss some.
pub fn close(listeners: Vec<RunningListener>) {
    for listener in &listeners {
        listener.stop.trigger();
    }
    let due = Instant::now() + CLOSE_TIMEOUT;
    for listener in listeners {
        // The channel never carries a message: it disconnects.
        let _ = listener.closed.recv_deadline(due);
    }
}
