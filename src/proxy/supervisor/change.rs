//! Executes a change of the live routes: binds every new port, then closes the old ones. Which change that is was
//! decided in `plan::diff`.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use super::route_table::{CLOSE_TIMEOUT, RouteTable, RunningListener};
use super::{ApplyError, OldConnections, lock};
use crate::event::{CloseReason, Event, emit};
use crate::limits::Cap;
use crate::plan::{Change, Plan, Route, RouteState};
use crate::proxy::admission::ConnectionLimit;
use crate::proxy::listener::{BacklogEnd, Listener};
use crate::proxy::live_route::LiveRoute;
use crate::proxy::shared::Shared;
use crate::stop::Latch;
use crate::threads;
use crate::value::RouteName;

/// A change in progress.
pub struct Transition<'a> {
    pub plan: &'a Plan,
    pub changes: &'a [Change],
    pub old_connections: OldConnections,
    pub routes: &'a Mutex<RouteTable>,
    pub limits: &'a [Arc<ConnectionLimit>],
    pub shared: &'a Arc<Shared>,
    pub seed: u64,
}

/// A route that needs a new listener.
struct Opening {
    route: Route,
    live: Arc<LiveRoute>,
}

/// A route that loses its listener.
struct Closing {
    name: RouteName,
    /// The listener's address.
    port: SocketAddr,
    backlog: BacklogEnd,
}

/// A route that has lost its listener, and gets it back if the change fails.
struct Closed {
    name: RouteName,
    connection_limit: Arc<ConnectionLimit>,
}

/// A live route, what it changes to, and the latch of the generation that begins then.
type Replacement = (Arc<LiveRoute>, Route, Latch);

impl Transition<'_> {
    /// Binds all new ports before any connection is accepted, and before anything else changes. A port that another
    /// route gives up is bound after that route has stopped.
    pub fn run(&self) -> Result<(), ApplyError> {
        let changed = self.routes().changed(self.changes);
        let (added, openings) = self.new_routes().map_err(ApplyError::Starved)?;
        let closing = self.closing();
        let must_wait = |opening: &Opening| closing.iter().any(|it| opening.overlaps(it.port));
        let (taking_over, free): (Vec<Opening>, Vec<Opening>) = openings.into_iter().partition(must_wait);
        let is_needed = |it: &Closing| taking_over.iter().any(|opening| opening.overlaps(it.port));
        let (closing_first, closing): (Vec<Closing>, Vec<Closing>) = closing.into_iter().partition(is_needed);

        let mut bound = self.bind(&free)?;
        let mut closed = self.close(&closing_first);
        let taken_over = self.bind(&taking_over);
        let prepared = taken_over.and_then(|taken_over| {
            bound.extend(taken_over);
            // Before the replacements, which need descriptors.
            closed.extend(self.close(&closing));
            replacements(changed).map_err(ApplyError::Starved)
        });
        match prepared {
            Ok(replacements) => {
                for (live, route, replaced) in replacements {
                    live.replace(route, replaced);
                }
                self.end_connections();
                self.add_and_remove(added);
                self.listen_all(bound).map_err(ApplyError::Starved)
            }
            Err(error) => {
                drop(bound);
                self.reopen(&closed);
                Err(error)
            }
        }
    }

    fn closing(&self) -> Vec<Closing> {
        let closing = self.changes.iter().filter_map(|change| {
            let (name, port) = self.routes().closing(change)?;
            let backlog = if self.ends_connections(change) { BacklogEnd::Reset } else { BacklogEnd::Served };
            Some(Closing { name, port, backlog })
        });
        closing.collect()
    }

    /// The routes that are added, and all that need a new listener.
    fn new_routes(&self) -> io::Result<(Vec<Arc<LiveRoute>>, Vec<Opening>)> {
        let (mut added, mut openings) = (Vec::new(), Vec::new());
        for change in self.changes {
            let (Change::Add(route) | Change::Restart(route)) = change else { continue };
            let live = self.routes().live_route(route, self.seed)?;
            if matches!(change, Change::Add(_)) {
                added.push(Arc::clone(&live));
            }
            if route.state == RouteState::Enabled {
                openings.push(Opening { route: route.clone(), live });
            }
        }
        Ok((added, openings))
    }

    fn bind(&self, openings: &[Opening]) -> Result<Vec<Listener>, ApplyError> {
        let stages = self.plan.stages_ahead();
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for (route, stage) in self.plan.routes().iter().zip(stages) {
            let Some(opening) = openings.iter().find(|opening| opening.route.name == route.name) else { continue };
            let limit = &self.limits[stage.min(self.limits.len() - 1)];
            match Listener::bind(route.listen(), Arc::clone(&opening.live), Arc::clone(limit)) {
                Ok(listener) => bound.push(listener),
                Err(error) => failed.push((route.clone(), error)),
            }
        }
        if failed.is_empty() { Ok(bound) } else { Err(ApplyError::Bind(failed)) }
    }

    /// Closes ports. Live connections continue.
    fn close(&self, closing: &[Closing]) -> Vec<Closed> {
        let mut stopped = Vec::new();
        for Closing { name, backlog, .. } in closing {
            let listener = self.routes().take_listener(name);
            stopped.extend(listener.map(|listener| (name.clone(), listener.stop(*backlog))));
        }
        let due = Instant::now() + CLOSE_TIMEOUT;
        let closed = stopped.into_iter().map(|(name, listener)| {
            listener.await_closed(due);
            Closed { name, connection_limit: listener.connection_limit }
        });
        closed.collect()
    }

    /// Opens the ports again that were closed for a change that failed.
    fn reopen(&self, closed: &[Closed]) {
        let live = self.routes().live();
        for live in live {
            let Some(closed) = closed.iter().find(|closed| closed.name == *live.name()) else { continue };
            let route = Arc::clone(&live.generation().route);
            let bound = Listener::bind(route.listen(), Arc::clone(&live), Arc::clone(&closed.connection_limit));
            if let Err(error) = bound.and_then(|listener| self.listen(listener)) {
                emit(&Event::BindFailed(&route, &error));
                disable(&live);
            }
        }
    }

    /// A disabled route behaves like a service that is down, so its connections end in any case.
    fn ends_connections(&self, change: &Change) -> bool {
        match change {
            Change::Restart(route) if route.state == RouteState::Disabled => true,
            Change::Restart(_) | Change::Remove(_) => self.old_connections == OldConnections::End,
            Change::Add(_) | Change::Adjust(_) => false,
        }
    }

    fn end_connections(&self) {
        for change in self.changes.iter().filter(|change| self.ends_connections(change)) {
            self.shared.registry.abort_all(change.route_name(), CloseReason::RouteClosed);
        }
    }

    fn add_and_remove(&self, added: Vec<Arc<LiveRoute>>) {
        let mut routes = self.routes();
        for change in self.changes {
            if let Change::Remove(name) = change {
                routes.remove(name);
            }
        }
        routes.add(added);
        routes.sort_as(self.plan.routes());
    }

    /// Without a thread for its listener, a route is disabled.
    fn listen_all(&self, bound: Vec<Listener>) -> io::Result<()> {
        let mut result = Ok(());
        for listener in bound {
            let live = Arc::clone(listener.live());
            if let Err(error) = self.listen(listener) {
                disable(&live);
                result = Err(error);
            }
        }
        result
    }

    fn listen(&self, listener: Listener) -> io::Result<()> {
        let (open, closed) = crossbeam_channel::bounded(0);
        let (route, shared) = (listener.route(), Arc::clone(self.shared));
        let running = RunningListener::new(&listener, closed);
        threads::spawn("listener", move || listener.run(&shared, open))?;
        emit(&Event::Listening(&route));
        self.routes().set_listener(&route.name, running);
        Ok(())
    }

    fn routes(&self) -> MutexGuard<'_, RouteTable> {
        lock(self.routes)
    }
}

/// All or none: a change is not made in part for lack of descriptors.
fn replacements(changed: Vec<(Arc<LiveRoute>, Route)>) -> io::Result<Vec<Replacement>> {
    changed.into_iter().map(|(live, route)| Ok((live, route, Latch::new()?))).collect()
}

fn disable(live: &Arc<LiveRoute>) {
    let route = Route { state: RouteState::Disabled, ..Route::clone(&live.generation().route) };
    // Without descriptors the route keeps its state, and is enabled by the next change of its address.
    if let Ok(replaced) = Latch::new() {
        live.replace(route, replaced);
    }
}

impl Opening {
    /// Whether this port can't be bound while `other` is bound.
    fn overlaps(&self, other: SocketAddr) -> bool {
        let one = self.route.listen();
        let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() == other.port() && (is_any || one.ip().to_canonical() == other.ip().to_canonical())
    }
}

/// Divides the connection limit by stages. If one route forwards to another, a connection on the first holds a permit
/// while its connection on the second waits for one. With a single limit, first-stage connections could take all
/// permits and deadlock, so each stage has its own. If a later plan has more stages, the extra ones share the last
/// stage's permits: more permits than the cap would endanger the process.
pub fn limits(plan: &Plan, cap: &Cap) -> Vec<Arc<ConnectionLimit>> {
    let stages = plan.stages_ahead().into_iter().max().map_or(1, |most| most + 1);
    let share = NonZeroUsize::new(cap.connections.get() / stages).unwrap_or(NonZeroUsize::MIN);
    (0..stages).map(|_| Arc::new(ConnectionLimit::new(share))).collect()
}
