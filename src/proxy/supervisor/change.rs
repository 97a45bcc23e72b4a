//! Executes a change of the live routes: binds every new port, then closes the old ones. Which change that is was
//! decided in `plan::diff`.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use super::routes::{Routes, RunningListener, close};
use super::{ApplyError, OldConnections, lock};
use crate::event::{CloseReason, Event, emit};
use crate::limits::Cap;
use crate::plan::{Change, Plan, Route, RouteState};
use crate::proxy::admission::ConnectionLimit;
use crate::proxy::listener::Listener;
use crate::proxy::live_route::LiveRoute;
use crate::proxy::shared::Shared;
use crate::threads;
use crate::value::RouteName;

/// A change in progress.
pub struct Transition<'a> {
    pub plan: &'a Plan,
    pub changes: &'a [Change],
    pub old_connections: OldConnections,
    pub routes: &'a Mutex<Routes>,
    pub limits: &'a [Arc<ConnectionLimit>],
    pub shared: &'a Arc<Shared>,
    pub seed: u64,
}

/// A route that needs a new listener.
struct Opening {
    route: Route,
    live: Arc<LiveRoute>,
}

/// The name of a route that loses its listener, and the listener's address.
type Closing = (RouteName, SocketAddr);

impl Transition<'_> {
    /// Binds all new ports before any connection is accepted, and before anything else changes. A port that another route
    /// gives up is bound after that route has stopped.
    pub fn run(&self) -> Result<(), ApplyError> {
        let (replacements, closing) = {
            let routes = self.routes();
            (routes.replacements(self.changes), routes.closing(self.changes))
        };
        let (added, openings) = self.new_routes().map_err(ApplyError::Starved)?;
        let must_wait = |opening: &Opening| closing.iter().any(|(_, port)| opening.overlaps(*port));
        let (taking_over, free): (Vec<Opening>, Vec<Opening>) = openings.into_iter().partition(must_wait);
        let is_needed = |(_, port): &Closing| taking_over.iter().any(|opening| opening.overlaps(*port));
        let (closing_first, closing): (Vec<Closing>, Vec<Closing>) = closing.iter().cloned().partition(is_needed);

        let mut bound = self.bind(&free)?;
        self.close(&closing_first);
        bound.extend(self.bind(&taking_over).inspect_err(|_| self.disable(&closing_first))?);
        // All ports are bound. From now on only a lack of threads or descriptors can fail the change.
        replacements.into_iter().try_for_each(|(live, route)| live.replace(route)).map_err(ApplyError::Starved)?;
        self.close(&closing);
        self.end_connections();
        self.add_and_remove(added);
        self.listen_all(bound).map_err(ApplyError::Starved)
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
    fn close(&self, closing: &[Closing]) {
        let names: Vec<RouteName> = closing.iter().map(|(name, _)| name.clone()).collect();
        let listeners = self.routes().take_listeners(&names);
        close(listeners);
    }

    /// Disables routes that have lost their listeners to a change that failed.
    fn disable(&self, stopped: &[Closing]) {
        let live = self.routes().live();
        let is_stopped = |live: &&Arc<LiveRoute>| stopped.iter().any(|(name, _)| live.name() == name);
        live.iter().filter(is_stopped).for_each(disable);
    }

    /// A disabled route behaves like a service that is down, so its connections end in any case.
    fn end_connections(&self) {
        for change in self.changes {
            let ends = match change {
                Change::Restart(route) if route.state == RouteState::Disabled => true,
                Change::Restart(_) | Change::Remove(_) => self.old_connections == OldConnections::End,
                Change::Add(_) | Change::Adjust(_) => false,
            };
            if ends {
                self.shared.registry.abort_all(change.route_name(), CloseReason::RouteClosed);
            }
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
        let (name, stop, route) = (listener.live().name().clone(), Arc::clone(listener.stop()), listener.route());
        let shared = Arc::clone(self.shared);
        threads::spawn("listener", move || listener.run(&shared, open))?;
        emit(&Event::Listening(&route));
        self.routes().set_listener(&name, RunningListener { stop, closed });
        Ok(())
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        lock(self.routes)
    }
}

fn disable(live: &Arc<LiveRoute>) {
    let route = Route { state: RouteState::Disabled, ..Route::clone(&live.generation().route) };
    // Without descriptors the route keeps its state, and is enabled by the next change of its address.
    let _ = live.replace(route);
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
