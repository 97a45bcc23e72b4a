//! Owns what is live. A plan comes in through [`Supervisor::apply`] and in no other way; [`Supervisor::drain`] ends it.

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

/// Between two lines that log how many connections a drain still waits for.
const REMINDER: Duration = Duration::from_secs(5);

/// How long listeners have to empty their backlogs and close their ports.
const CLOSING: Duration = Duration::from_millis(100);

/// How long connections that were cut have to log that. They need microseconds; an overloaded machine should not keep the
/// process from ending.
const CUTTING: Duration = Duration::from_secs(1);

/// The live routes.
#[derive(Debug)]
pub struct Supervisor {
    cap: Cap,
    seed: u64,
    shared: Arc<Shared>,
    routes: Mutex<Routes>,
    /// Disconnects when the last connection is gone.
    gone: Receiver<Infallible>,
}

#[derive(Debug, Default)]
struct Routes {
    live: HashMap<RouteName, Handle>,
    /// A route that comes again goes on counting its connections, so that the seed means the same.
    counters: HashMap<RouteName, Arc<AtomicU64>>,
    limits: Vec<Arc<ConnectionLimit>>,
}

/// A route that accepts connections.
#[derive(Debug)]
struct Handle {
    route: Arc<LiveRoute>,
    stop: Arc<Latch>,
    /// Disconnects when its port is closed.
    closed: Receiver<Infallible>,
}

/// A route that needs a new listener.
struct Opening {
    listen: SocketAddr,
    live: Arc<LiveRoute>,
}

/// A route that loses its listener, and where that is.
type Closing = (RouteName, SocketAddr);

/// Why a plan could not be applied.
#[derive(Debug)]
pub enum ApplyError {
    /// These ports can't be listened on. Nothing has changed, except that routes whose port another one was to take over
    /// have stopped.
    Bind(Vec<(Route, io::Error)>),
    /// There is no thread for a listener, or no descriptor for a change. Other changes of the plan may be live.
    Starved(io::Error),
}

impl Supervisor {
    /// Nothing is live yet. No more connections will be served at once than `cap` has room for, and toxics will hold no
    /// more bytes than `buffers`.
    #[must_use]
    pub fn new(cap: Cap, buffers: NonZeroUsize, seed: u64, stop: Arc<Stop>) -> Self {
        let (alive, gone) = crossbeam_channel::bounded(0);
        let (registry, pool, overflow) = (Arc::default(), Arc::default(), ConnectionLimit::new(cap.overflow));
        let shared = Shared { registry, overflow, pool, budget: Budget::new(buffers), stop, _alive: alive };
        Self { cap, seed, shared: Arc::new(shared), routes: Mutex::default(), gone }
    }

    /// Makes the routes of `plan` live, and no others. Routes that stay the same are left alone; new toxics reach live
    /// connections; a route that is removed or made anew accepts no more connections, and those that it has live on. Every
    /// port is bound before any connection is accepted.
    ///
    /// # Errors
    /// Every port that can't be bound, or the lack of a thread or a descriptor.
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
        // Every port is bound: from here on it can only fail for lack of threads or descriptors.
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

    /// Waits until the last connection has come to its natural end, at most until `timeout` has passed or the stop asks
    /// for a cut; what is left then is reset. Returns the number of those connections.
    #[must_use]
    pub fn drain(self, timeout: Option<Duration>) -> usize {
        close_all(self.routes().live.drain().map(|(_, handle)| handle).collect());
        let Self { shared, gone, .. } = self;
        let (registry, stop) = (Arc::clone(&shared.registry), Arc::clone(&shared.stop));
        // The listeners and the connections hold it until they have ended; this was the last hold on it besides theirs.
        drop(shared);
        emit(&Event::Draining(registry.len()));
        let (deadline, reminder) = (timeout.map_or_else(never, after), tick(REMINDER));
        loop {
            select! {
                recv(gone) -> _ => return 0,
                recv(deadline) -> _ => break,
                recv(stop.cut().channel()) -> _ => break,
                recv(reminder) -> _ => emit(&Event::StillDraining(registry.len())),
            }
        }
        // In this order: a connection that a listener admits without having seen the latch is registered by then.
        stop.cut().trigger();
        registry.cut();
        // Whether they managed or not, this was all the time they have.
        let _ = gone.recv_timeout(CUTTING);
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

    /// The live routes that meet another plan, whether or not they get a new listener.
    fn replacements(&self, changes: &[Change]) -> Vec<(Arc<LiveRoute>, Route)> {
        let replaced = |change: &Change| match change {
            Change::Adjust(route) | Change::Restart(route) => {
                Some((Arc::clone(&self.live.get(&route.name)?.route), route.clone()))
            }
            Change::Add(_) | Change::Remove(_) => None,
        };
        changes.iter().filter_map(replaced).collect()
    }

    /// The routes whose listener has to go.
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

    /// One that is live goes on, so that its connections meet its toxics whichever listener has accepted them.
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

    /// Closes ports. The connections live on.
    fn close(&mut self, closing: &[Closing]) {
        close_all(closing.iter().filter_map(|(name, _)| self.live.remove(name)).collect());
    }
}

impl Opening {
    /// Whether its port can't be bound as long as `other` is.
    fn overlaps(&self, other: SocketAddr) -> bool {
        let (one, other) = (self.listen, other);
        let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() == other.port() && (is_any || one.ip().to_canonical() == other.ip().to_canonical())
    }
}

/// Waits until the ports are closed. Where that takes longer, a count of connections comes too early, and a port that is to
/// be bound again may be in use.
fn close_all(handles: Vec<Handle>) {
    for handle in &handles {
        handle.stop.trigger();
    }
    let due = Instant::now() + CLOSING;
    for handle in handles {
        // Nothing is ever sent: it disconnects.
        let _ = handle.closed.recv_deadline(due);
    }
}

/// Where routes feed each other, a connection that holds a permit waits for another one to get its own. Were they all of
/// one kind, every connection could hold one and wait; so each stage of the way has permits of its own. A later plan with
/// longer ways has the last stage's for the rest: more permits than the cap would endanger the process.
fn limits(present: Vec<Arc<ConnectionLimit>>, plan: &Plan, cap: &Cap) -> Vec<Arc<ConnectionLimit>> {
    if !present.is_empty() {
        return present;
    }
    let stages = plan.stages_ahead().into_iter().max().map_or(1, |most| most + 1);
    let share = NonZeroUsize::new(cap.connections.get() / stages).unwrap_or(NonZeroUsize::MIN);
    (0..stages).map(|_| Arc::new(ConnectionLimit::new(share))).collect()
}
