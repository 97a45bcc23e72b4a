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
use crate::stop::Stop;
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
    /// Disconnects when its port is closed.
    closed: Receiver<Infallible>,
}

/// Why a plan could not be applied.
#[derive(Debug)]
pub enum ApplyError {
    /// These ports can't be listened on. Nothing has changed, except that routes whose port another one was to take over
    /// have stopped.
    Bind(Vec<(Route, io::Error)>),
    /// There is no thread for a listener, or no descriptor for a change. What came before it in the plan is live.
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
        let (first, taken_over) = routes.to_bind(&changes);
        let bound = self.bind(&mut routes, plan, first)?;
        for change in &changes {
            match change {
                Change::Adjust(route) => routes.adjust(route).map_err(ApplyError::Starved)?,
                Change::Remove(name) => routes.stop(name),
                Change::Restart(route) => routes.stop(&route.name),
                Change::Add(_) => {}
            }
        }
        let bound = bound.into_iter().chain(self.bind(&mut routes, plan, taken_over)?);
        bound.into_iter().try_for_each(|listener| self.listen(&mut routes, listener)).map_err(ApplyError::Starved)
    }

    fn bind(&self, routes: &mut Routes, plan: &Plan, wanted: Vec<Route>) -> Result<Vec<Listener>, ApplyError> {
        let stages = plan.stages_ahead();
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for route in wanted {
            let stage = plan.routes().iter().position(|other| other.name == route.name).map_or(0, |at| stages[at]);
            let limit = &routes.limits[stage.min(routes.limits.len() - 1)];
            let number = routes.live.get(&route.name).map_or(0, |handle| handle.route.generation().number) + 1;
            let accepted = routes.counters.entry(route.name.clone()).or_default();
            let live = LiveRoute::new(route.clone(), self.seed, number, Arc::clone(accepted));
            match live.and_then(|live| Listener::bind(Arc::new(live), Arc::clone(limit))) {
                Ok(listener) => bound.push(listener),
                Err(error) => failed.push((route, error)),
            }
        }
        if failed.is_empty() { Ok(bound) } else { Err(ApplyError::Bind(failed)) }
    }

    fn listen(&self, routes: &mut Routes, listener: Listener) -> io::Result<()> {
        let (open, closed) = crossbeam_channel::bounded(0);
        let (route, shared) = (Arc::clone(listener.live()), Arc::clone(&self.shared));
        emit(&Event::Listening(&listener.route()));
        threads::spawn("listener", move || listener.run(&shared, open))?;
        let name = route.generation().route.name.clone();
        routes.live.insert(name, Handle { route, closed });
        Ok(())
    }

    /// Waits until the last connection has come to its natural end, at most until `timeout` has passed or the stop asks
    /// for a cut; what is left then is reset. Returns the number of those connections.
    #[must_use]
    pub fn drain(self, timeout: Option<Duration>) -> usize {
        self.routes().stop_all();
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

    /// The routes that need a new listener: those that can have it at once, and those that take an address over from a
    /// route that has to stop first.
    fn to_bind(&self, changes: &[Change]) -> (Vec<Route>, Vec<Route>) {
        let address = |name: &RouteName| self.live.get(name).map(|handle| handle.route.generation().route.listen());
        let freed: Vec<SocketAddr> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Remove(name) => address(name),
                Change::Restart(route) => address(&route.name),
                Change::Add(_) | Change::Adjust(_) => None,
            })
            .collect();
        let new = changes.iter().filter_map(|change| match change {
            Change::Add(route) | Change::Restart(route) => Some(route.clone()),
            Change::Remove(_) | Change::Adjust(_) => None,
        });
        new.partition(|route| freed.iter().all(|freed| freed.port() != route.port.get()))
    }

    fn adjust(&self, route: &Route) -> io::Result<()> {
        self.live.get(&route.name).map_or(Ok(()), |handle| handle.route.replace(route.clone()))
    }

    /// Closes a route's port. Its connections live on.
    fn stop(&mut self, name: &RouteName) {
        if let Some(handle) = self.live.remove(name) {
            handle.stop();
            handle.wait_closed(Instant::now() + CLOSING);
        }
    }

    fn stop_all(&mut self) {
        let handles: Vec<Handle> = self.live.drain().map(|(_, handle)| handle).collect();
        for handle in &handles {
            handle.stop();
        }
        let due = Instant::now() + CLOSING;
        for handle in &handles {
            handle.wait_closed(due);
        }
    }
}

impl Handle {
    fn stop(&self) {
        self.route.stop().trigger();
    }

    /// Nothing is ever sent: it disconnects. Where that takes longer, a count of connections comes too early, and a port
    /// that is to be bound again may be in use.
    fn wait_closed(&self, due: Instant) {
        let _ = self.closed.recv_deadline(due);
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
