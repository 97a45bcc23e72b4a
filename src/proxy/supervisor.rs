//! Owns the live routes. [`Supervisor::apply`] is the only way to change them, and [`Supervisor::drain`] ends them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select, tick};

use super::admission::ConnectionLimit;
use super::budget::Budget;
use super::listener::Listener;
use super::live_route::LiveRoute;
use super::shared::Shared;
use crate::event::{Event, emit};
use crate::limits::Cap;
use crate::plan::{Change, Plan, Route, diff};
use crate::stop::{Latch, Stop};
use crate::threads;
use crate::value::RouteName;

/// The interval between log lines about the connections that a drain waits for.
const REMINDER_INTERVAL: Duration = Duration::from_secs(5);

/// How long listeners have to empty their backlogs and close their ports.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long cut connections may take to log their end. They need microseconds; the limit keeps an overloaded machine
/// from delaying the exit.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// The live routes.
#[derive(Debug)]
pub struct Supervisor {
    cap: Cap,
    seed: u64,
    shared: Arc<Shared>,
    routes: Mutex<Routes>,
    /// Disconnects when the last connection has ended.
    gone: Receiver<Infallible>,
}

#[derive(Debug, Default)]
struct Routes {
    live: HashMap<RouteName, Handle>,
    /// Counters of all routes, including removed ones: a route that is added again continues its count, so that the
    /// same seed gives the same draws.
    counters: HashMap<RouteName, Arc<AtomicU64>>,
    limits: Vec<Arc<ConnectionLimit>>,
}

/// A route that accepts connections.
#[derive(Debug)]
struct Handle {
    route: Arc<LiveRoute>,
    stop: Arc<Latch>,
    /// Disconnects when the port is closed.
    closed: Receiver<Infallible>,
}

/// A route that needs a new listener.
struct Opening {
    listen: SocketAddr,
    live: Arc<LiveRoute>,
}

/// The name of a route that loses its listener, and the listener's address.
type Closing = (RouteName, SocketAddr);

/// Why a plan could not be applied.
#[derive(Debug)]
pub enum ApplyError {
    /// These routes could not bind their ports. Nothing else has changed, except that a route has stopped if its port
    /// was to be taken over by another one.
    Bind(Vec<(Route, io::Error)>),
    /// No thread for a listener, or no descriptor for a change, was available. Other changes of the plan may be live.
    Starved(io::Error),
}

impl Supervisor {
    /// Creates a supervisor without routes. It serves at most the number of connections in `cap` at once, and toxics
    /// hold at most `buffers` bytes.
    #[must_use]
    pub fn new(cap: Cap, buffers: NonZeroUsize, seed: u64, stop: Arc<Stop>) -> Self {
        let (alive, gone) = crossbeam_channel::bounded(0);
        let (registry, pool, overflow) = (Arc::default(), Arc::default(), ConnectionLimit::new(cap.overflow));
        let shared = Shared { registry, overflow, pool, budget: Budget::new(buffers), stop, _alive: alive };
        Self { cap, seed, shared: Arc::new(shared), routes: Mutex::default(), gone }
    }

    /// Makes exactly the routes of `plan` live. Unchanged routes are left alone. New toxics apply to live connections
    /// as well. A route that is removed or restarted accepts no more connections, but its live ones continue. All ports
    /// are bound before any connection is accepted.
    ///
    /// # Errors
    /// All ports that could not be bound, or a lack of threads or descriptors.
    pub fn apply(&self, plan: &Plan) -> Result<(), ApplyError> {
        let mut routes = self.routes();
        routes.limits = limits(std::mem::take(&mut routes.limits), plan, &self.cap);
        let changes = diff(&routes.plan(), plan.routes());
        let (replacements, closing) = (routes.replacements(&changes), routes.closing(&changes));
        let openings = self.openings(&mut routes, &changes).map_err(ApplyError::Starved)?;
        let must_wait = |opening: &Opening| closing.iter().any(|(_, port)| opening.overlaps(*port));
        let (taking_over, free): (Vec<Opening>, Vec<Opening>) = openings.into_iter().partition(must_wait);
        let is_needed = |(_, port): &Closing| taking_over.iter().any(|opening| opening.overlaps(*port));
        let (closing_first, closing): (Vec<Closing>, Vec<Closing>) = closing.iter().cloned().partition(is_needed);

        let mut bound = routes.bind(plan, &free)?;
        routes.close(&closing_first);
        bound.extend(routes.bind(plan, &taking_over)?);
        // All ports are bound. From now on only a lack of threads or descriptors can fail the change.
        replacements.into_iter().try_for_each(|(live, route)| live.replace(route)).map_err(ApplyError::Starved)?;
        routes.close(&closing);
        bound.into_iter().try_for_each(|listener| self.listen(&mut routes, listener)).map_err(ApplyError::Starved)
    }

    /// The routes that need a new listener.
    fn openings(&self, routes: &mut Routes, changes: &[Change]) -> io::Result<Vec<Opening>> {
        let new = changes.iter().filter_map(|change| match change {
            Change::Add(route) | Change::Restart(route) => Some(route),
            Change::Remove(_) | Change::Adjust(_) => None,
        });
        new.map(|route| Ok(Opening { listen: route.listen(), live: routes.live_route(route, self.seed)? })).collect()
    }

    fn listen(&self, routes: &mut Routes, listener: Listener) -> io::Result<()> {
        let (open, closed) = crossbeam_channel::bounded(0);
        let (route, stop, shared) =
            (Arc::clone(listener.live()), Arc::clone(listener.stop()), Arc::clone(&self.shared));
        emit(&Event::Listening(&listener.route()));
        threads::spawn("listener", move || listener.run(&shared, open))?;
        let name = route.generation().route.name.clone();
        routes.live.insert(name, Handle { route, stop, closed });
        Ok(())
    }

    /// Stops all listeners and waits until the last connection has ended, or until `timeout` passes or a cut is
    /// requested. The remaining connections are then reset. Returns the number of connections that were reset.
    #[must_use]
    pub fn drain(self, timeout: Option<Duration>) -> usize {
        close_all(self.routes().live.drain().map(|(_, handle)| handle).collect());
        let Self { shared, gone, .. } = self;
        let (registry, stop) = (Arc::clone(&shared.registry), Arc::clone(&shared.stop));
        // Listeners and connections hold the remaining references, so `gone` disconnects when the last of them ends.
        drop(shared);
        emit(&Event::Draining(registry.len()));
        let (deadline, reminder) = (timeout.map_or_else(never, after), tick(REMINDER_INTERVAL));
        loop {
            select! {
                recv(gone) -> _ => return 0,
                recv(deadline) -> _ => break,
                recv(stop.cut().channel()) -> _ => break,
                recv(reminder) -> _ => emit(&Event::StillDraining(registry.len())),
            }
        }
        // The latch comes first: a connection that is admitted before its listener sees the latch is registered in time
        // for the cut.
        stop.cut().trigger();
        registry.cut();
        // The result does not matter: the process exits after this time in any case.
        let _ = gone.recv_timeout(CUT_TIMEOUT);
        registry.cut_count()
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    fn plan(&self) -> Vec<Route> {
        self.live.values().map(|handle| Route::clone(&handle.route.generation().route)).collect()
    }

    /// The live routes that change, whether or not they need a new listener.
    fn replacements(&self, changes: &[Change]) -> Vec<(Arc<LiveRoute>, Route)> {
        let replaced = |change: &Change| match change {
            Change::Adjust(route) | Change::Restart(route) => {
                Some((Arc::clone(&self.live.get(&route.name)?.route), route.clone()))
            }
            Change::Add(_) | Change::Remove(_) => None,
        };
        changes.iter().filter_map(replaced).collect()
    }

    /// The routes whose listener must close.
    fn closing(&self, changes: &[Change]) -> Vec<Closing> {
        let closed = |change: &Change| {
            let name = match change {
                Change::Remove(name) => name,
                Change::Restart(route) => &route.name,
                Change::Add(_) | Change::Adjust(_) => return None,
            };
            Some((name.clone(), self.live.get(name)?.route.generation().route.listen()))
        };
        changes.iter().filter_map(closed).collect()
    }

    /// Returns the live route of that name, or a new one. Reusing it keeps its toxics shared by all connections,
    /// whichever listener accepted them.
    fn live_route(&mut self, route: &Route, seed: u64) -> io::Result<Arc<LiveRoute>> {
        if let Some(handle) = self.live.get(&route.name) {
            return Ok(Arc::clone(&handle.route));
        }
        let accepted = self.counters.entry(route.name.clone()).or_default();
        LiveRoute::new(route.clone(), seed, Arc::clone(accepted)).map(Arc::new)
    }

    fn bind(&self, plan: &Plan, openings: &[Opening]) -> Result<Vec<Listener>, ApplyError> {
        let stages = plan.stages_ahead();
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for (route, stage) in plan.routes().iter().zip(stages) {
            let Some(opening) = openings.iter().find(|opening| opening.listen == route.listen()) else { continue };
            let limit = &self.limits[stage.min(self.limits.len() - 1)];
            match Listener::bind(opening.listen, Arc::clone(&opening.live), Arc::clone(limit)) {
                Ok(listener) => bound.push(listener),
                Err(error) => failed.push((route.clone(), error)),
            }
        }
        if failed.is_empty() { Ok(bound) } else { Err(ApplyError::Bind(failed)) }
    }

    /// Closes ports. Live connections continue.
    fn close(&mut self, closing: &[Closing]) {
        close_all(closing.iter().filter_map(|(name, _)| self.live.remove(name)).collect());
    }
}

impl Opening {
    /// Whether this port can't be bound while `other` is bound.
    fn overlaps(&self, other: SocketAddr) -> bool {
        let (one, other) = (self.listen, other);
        let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() == other.port() && (is_any || one.ip().to_canonical() == other.ip().to_canonical())
    }
}

/// Stops the listeners and waits until their ports are closed. Without the wait, a port to bind again could still be in
/// use, and a count of connections could miss some.
fn close_all(handles: Vec<Handle>) {
    for handle in &handles {
        handle.stop.trigger();
    }
    let due = Instant::now() + CLOSE_TIMEOUT;
    for handle in handles {
        // The channel never carries a message: it disconnects.
        let _ = handle.closed.recv_deadline(due);
    }
}

/// Divides the connection limit by stages. If one route forwards to another, a connection on the first holds a permit
/// while its connection on the second waits for one. With a single limit, first-stage connections could take all
/// permits and deadlock, so each stage has its own. If a later plan has more stages, the extra ones share the last
/// stage's permits: more permits than the cap would endanger the process.
fn limits(present: Vec<Arc<ConnectionLimit>>, plan: &Plan, cap: &Cap) -> Vec<Arc<ConnectionLimit>> {
    if !present.is_empty() {
        return present;
    }
    let stages = plan.stages_ahead().into_iter().max().map_or(1, |most| most + 1);
    let share = NonZeroUsize::new(cap.connections.get() / stages).unwrap_or(NonZeroUsize::MIN);
    (0..stages).map(|_| Arc::new(ConnectionLimit::new(share))).collect()
}
