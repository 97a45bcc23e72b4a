//! The live routes by name, with their listeners and their counters.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::plan::{Change, Route};
use crate::proxy::admission::ConnectionLimit;
use crate::proxy::counters::RouteCounters;
use crate::proxy::listener::{BacklogEnd, Listener, ListenerStop};
use crate::proxy::live_route::LiveRoute;
use crate::value::RouteName;

/// How long listeners have to empty their backlogs and close their ports.
pub const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// The live routes, in the order of the plan.
#[derive(Debug, Default)]
pub struct RouteTable {
    live: Vec<Handle>,
    /// All routes so far, including removed ones.
    known: HashMap<RouteName, Known>,
}

/// What is kept of a route after its removal. A route that is added again continues its counts, so that the same seed
/// gives the same draws, and has the connections that its predecessor has left.
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
    stop: Arc<ListenerStop>,
    pub connection_limit: Arc<ConnectionLimit>,
    /// Disconnects when the port is closed.
    closed: Receiver<Infallible>,
}

impl RouteTable {
    /// The routes as configured.
    pub fn plan(&self) -> Vec<Route> {
        self.live.iter().map(|handle| Route::clone(&handle.route.generation().route)).collect()
    }

    pub fn live(&self) -> Vec<Arc<LiveRoute>> {
        self.live.iter().map(|handle| Arc::clone(&handle.route)).collect()
    }

    /// Those of removed routes too.
    pub fn counters(&self) -> Vec<Arc<RouteCounters>> {
        self.known.values().map(|known| Arc::clone(&known.counters)).collect()
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
    pub fn changed(&self, changes: &[Change]) -> Vec<(Arc<LiveRoute>, Route)> {
        let replaced = |change: &Change| match change {
            Change::Adjust(route) | Change::Restart(route) | Change::Add(route) => {
                Some((self.known.get(&route.name)?.route.upgrade()?, route.clone()))
            }
            Change::Remove(_) => None,
        };
        changes.iter().filter_map(replaced).collect()
    }

    /// The route whose listener must close for a change, and the listener's address.
    pub fn closing(&self, change: &Change) -> Option<(RouteName, SocketAddr)> {
        let name = match change {
            Change::Remove(name) => name,
            Change::Restart(route) => &route.name,
            Change::Add(_) | Change::Adjust(_) => return None,
        };
        let handle = self.live.iter().find(|handle| handle.has_name(name) && handle.listener.is_some())?;
        Some((name.clone(), handle.route.generation().route.listen()))
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
        let places: HashMap<&RouteName, usize> = plan.iter().map(|route| &route.name).zip(0..).collect();
        self.live.sort_by_cached_key(|handle| places.get(handle.route.name()).copied());
    }

    pub fn set_listener(&mut self, name: &RouteName, listener: RunningListener) {
        if let Some(handle) = self.live.iter_mut().find(|handle| handle.has_name(name)) {
            handle.listener = Some(listener);
        }
    }

    /// Takes the listener of a route, if it has one.
    pub fn take_listener(&mut self, name: &RouteName) -> Option<RunningListener> {
        self.live.iter_mut().find(|handle| handle.has_name(name))?.listener.take()
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

impl RunningListener {
    pub fn new(listener: &Listener, closed: Receiver<Infallible>) -> Self {
        let (stop, connection_limit) = (Arc::clone(listener.stop()), Arc::clone(listener.connection_limit()));
        Self { stop, connection_limit, closed }
    }

    /// Begins to close the port.
    pub fn stop(self, backlog: BacklogEnd) -> Self {
        self.stop.request(backlog);
        self
    }

    /// Waits until the port is closed. Without the wait, a port to bind again could still be in use, and a count of
    /// connections could miss some.
    pub fn await_closed(&self, due: Instant) {
        // The channel never carries a message: it disconnects.
        let _ = self.closed.recv_deadline(due);
    }
}
