//! Owns the live routes. [`Supervisor::apply`] and [`Supervisor::edit`] are the only ways to change them, and
//! [`Supervisor::drain`] ends them.

mod auto_ports;
mod change;
mod route_table;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select, tick};

use self::change::{Transition, limits};
use self::route_table::{CLOSE_TIMEOUT, RouteTable};
use super::admission::ConnectionLimit;
use super::budget::Budget;
use super::counters::Activity;
use super::listener::BacklogEnd;
use super::recording::Recording;
use super::registry::Registry;
use super::shared::Shared;
use super::status::{ConnectionStatus, Health, OpenConnection, RouteStatus};
use crate::event::{CloseReason, ConnectionEvent, DrainEvent, Event, Origin, emit};
use crate::limits::Cap;
use crate::plan::{Change, Plan, Route, describe, diff, keep_auto_ports};
use crate::stop::Stop;
use crate::value::{CloseMode, RouteName};

/// The interval between log lines about the connections that a drain waits for.
const REMINDER_INTERVAL: Duration = Duration::from_secs(5);

/// The number of connections that are listed then: those that have been open for the longest time.
const LISTED_CONNECTIONS: usize = 5;

/// How long cut connections may take to log their end. They need microseconds; the limit keeps an overloaded machine
/// from delaying the exit.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// The live routes. All methods can be called from any thread, and none waits for a connection.
#[derive(Debug)]
pub struct Supervisor {
    cap: Cap,
    seed: u64,
    stop: Arc<Stop>,
    registry: Arc<Registry>,
    budget: Arc<Budget>,
    /// What listeners need. Absent once the drain has begun, so that none is opened any more.
    shared: Mutex<Option<Arc<Shared>>>,
    /// The limits of the first plan with routes. Locked during a change, so that changes are made one after the other.
    limits: Mutex<Vec<Arc<ConnectionLimit>>>,
    /// Never locked during I/O or a wait.
    routes: Mutex<RouteTable>,
    /// Disconnects when the last connection has ended.
    gone: Receiver<Infallible>,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedChange {
    /// The route that has changed.
    pub route: RouteName,
    /// What has changed.
    pub change: String,
    /// The number of live connections that the change has reached.
    pub connections: usize,
}

/// What becomes of the connections of a route that is removed or gets another listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldConnections {
    /// They run to their end.
    Continue,
    /// They end at once.
    End,
}

/// Why a change could not be made.
#[derive(Debug)]
pub enum ApplyError {
    /// The routes conflict with each other, in this way. Nothing has changed.
    Conflict(String),
    /// These routes could not bind their ports. Nothing has changed. If a port that was to be taken over can't be bound
    /// again by the route that had it, that is logged, and the route is disabled.
    Bind(Vec<(Route, io::Error)>),
    /// No thread for a listener, or no descriptor for a change, was available. Other changes of the plan may be live.
    Starved(io::Error),
    /// The drain has begun. Nothing has changed.
    Draining,
}

impl Supervisor {
    /// Creates a supervisor without routes. It serves at most the number of connections in `cap` at once, and toxics
    /// hold at most `buffers` bytes. The messages of all connections go to `recording`.
    #[must_use]
    pub fn new(cap: Cap, buffers: NonZeroUsize, seed: u64, stop: Arc<Stop>, recording: Option<Arc<Recording>>) -> Self {
        let (alive, gone) = crossbeam_channel::bounded(0);
        let (registry, budget) = (Arc::<Registry>::default(), Arc::new(Budget::new(buffers)));
        let shared = Shared {
            registry: Arc::clone(&registry),
            overflow: ConnectionLimit::new(cap.overflow),
            pool: Arc::default(),
            budget: Arc::clone(&budget),
            stop: Arc::clone(&stop),
            own_sources: Arc::default(),
            recording,
            _alive: alive,
        };
        let shared = Mutex::new(Some(Arc::new(shared)));
        Self { cap, seed, stop, registry, budget, shared, limits: Mutex::default(), routes: Mutex::default(), gone }
    }

    /// Makes exactly the routes of `plan` live. Unchanged routes are left alone. New toxics apply to live connections
    /// as well. A route that is removed or restarted accepts no more connections, but its live ones continue; those of
    /// a disabled route end. All ports are bound before any connection is accepted.
    ///
    /// # Errors
    /// All ports that could not be bound, a lack of threads or descriptors, or a drain.
    pub fn apply(&self, plan: &Plan, origin: Origin) -> Result<Vec<AppliedChange>, ApplyError> {
        self.edit(origin, OldConnections::Continue, |_| Ok(plan.routes().to_vec()))
    }

    /// The same for the routes that `edit` makes of the present ones.
    ///
    /// # Errors
    /// Also those of `edit`, and conflicts among the routes.
    pub fn edit<E: From<ApplyError>>(
        &self,
        origin: Origin,
        old_connections: OldConnections,
        edit: impl FnOnce(Vec<Route>) -> Result<Vec<Route>, E>,
    ) -> Result<Vec<AppliedChange>, E> {
        let mut limits = lock(&self.limits);
        let present = lock(&self.routes).plan();
        let wanted = keep_auto_ports(edit(present.clone())?, &present);
        let applied = auto_ports::retry(wanted, |wanted| self.change_to(wanted, old_connections, &mut limits))?;
        for change in &applied {
            report(origin, change);
        }
        Ok(applied)
    }

    fn change_to(
        &self,
        wanted: Vec<Route>,
        old_connections: OldConnections,
        limits: &mut Vec<Arc<ConnectionLimit>>,
    ) -> Result<Vec<AppliedChange>, ApplyError> {
        let present = lock(&self.routes).plan();
        let plan = plan(wanted)?;
        let changes = diff(&present, plan.routes());
        // Counted before the change, which may end them.
        let applied = changes.iter().map(|change| self.applied(change, &present)).collect();
        self.change(&plan, &changes, old_connections, limits)?;
        Ok(applied)
    }

    fn change(
        &self,
        plan: &Plan,
        changes: &[Change],
        old_connections: OldConnections,
        present: &mut Vec<Arc<ConnectionLimit>>,
    ) -> Result<(), ApplyError> {
        let shared = lock(&self.shared).clone().ok_or(ApplyError::Draining)?;
        // A run with an admin server can begin without routes, which have no stages yet.
        if present.is_empty() && !plan.routes().is_empty() {
            *present = limits(plan, &self.cap);
        }
        let (routes, seed) = (&self.routes, self.seed);
        Transition { plan, changes, old_connections, routes, limits: present, shared: &shared, seed }.run()
    }

    fn applied(&self, change: &Change, before: &[Route]) -> AppliedChange {
        let route = change.route_name();
        AppliedChange {
            route: route.clone(),
            change: describe(change, before),
            connections: self.registry.active(route),
        }
    }

    /// The seed of all random draws.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The routes as configured, in the order of the plan.
    #[must_use]
    pub fn configured(&self) -> Vec<Route> {
        lock(&self.routes).plan()
    }

    /// What each route has done so far.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteStatus> {
        let live = lock(&self.routes).live();
        self.registry.routes(&live)
    }

    /// All live connections, in the order in which they were accepted.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        self.registry.connections()
    }

    /// What all connections together have done so far.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let counters = lock(&self.routes).counters();
        self.registry.activity(&counters)
    }

    /// Whether connections are accepted.
    #[must_use]
    pub fn health(&self) -> Health {
        if self.stop.draining().is_triggered() { Health::Draining } else { Health::Accepting }
    }

    /// The number of bytes that toxics hold.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Ends one connection. Returns false if there is none with that id.
    pub fn end_connection(&self, origin: Origin, id: u64, mode: CloseMode) -> bool {
        let Some(subject) = self.registry.abort(id, kill_reason(mode)) else { return false };
        emit(&Event::ConnectionsEnded { origin, route: &subject.route.name, mode, number: 1 });
        true
    }

    /// Ends all connections of a route. Returns their number.
    pub fn end_connections(&self, origin: Origin, route: &RouteName, mode: CloseMode) -> usize {
        let number = self.registry.abort_all(route, kill_reason(mode));
        emit(&Event::ConnectionsEnded { origin, route, mode, number });
        number
    }

    /// Stops all listeners and waits until the last connection has ended, or until `timeout` passes or a cut is
    /// requested. The remaining connections are then reset. Returns the number of connections that were reset.
    #[must_use]
    pub fn drain(&self, timeout: Option<Duration>) -> usize {
        self.close_all();
        emit(&Event::Drain(DrainEvent::Began(self.registry.len())));
        let (deadline, reminder) = (timeout.map_or_else(never, after), tick(REMINDER_INTERVAL));
        loop {
            select! {
                recv(self.gone) -> _ => return self.registry.cut_count(),
                recv(deadline) -> _ => break,
                recv(self.stop.cut().channel()) -> _ => break,
                recv(reminder) -> _ => self.report_open(),
            }
        }
        // The latch comes first: a connection that is admitted before its listener sees the latch is registered in time
        // for the cut.
        self.stop.cut().trigger();
        self.registry.cut();
        // The result does not matter: the process exits after this time in any case.
        let _ = self.gone.recv_timeout(CUT_TIMEOUT);
        self.registry.cut_count()
    }

    fn report_open(&self) {
        let (left, oldest) = (self.registry.len(), self.registry.oldest(LISTED_CONNECTIONS));
        emit(&Event::Drain(DrainEvent::Waiting(left)));
        for OpenConnection { subject, age } in &oldest {
            emit(&Event::Connection(subject, ConnectionEvent::StillOpen(*age)));
        }
        emit(&Event::Drain(DrainEvent::Unlisted(left.saturating_sub(oldest.len()))));
    }

    /// Listeners and connections hold the remaining references to `Shared`, so `gone` disconnects when the last of them
    /// ends.
    fn close_all(&self) {
        let _no_change = lock(&self.limits);
        drop(lock(&self.shared).take());
        let listeners = lock(&self.routes).take_all_listeners();
        let stopped: Vec<_> = listeners.into_iter().map(|listener| listener.stop(BacklogEnd::Served)).collect();
        let due = Instant::now() + CLOSE_TIMEOUT;
        for listener in &stopped {
            listener.await_closed(due);
        }
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(what) => f.write_str(what),
            Self::Bind(failed) => {
                let texts: Vec<_> =
                    failed.iter().map(|(route, error)| format!("{}: {error}", route.listen())).collect();
                write!(f, "can't listen on {}", texts.join(", "))
            }
            Self::Starved(error) => write!(
                f,
                "no threads or descriptors are left: {error}; raise `ulimit -n`, `ulimit -u` or the cgroup's pids.max"
            ),
            Self::Draining => write!(f, "chaos-proxy is stopping, and routes can't change any more"),
        }
    }
}

impl std::error::Error for ApplyError {}

fn plan(routes: Vec<Route>) -> Result<Plan, ApplyError> {
    let names: Vec<String> = routes.iter().map(|route| route.name.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Plan::new(None, routes).map_err(|conflicts| {
        let described: Vec<String> = conflicts.iter().map(|conflict| conflict.describe(&names)).collect();
        ApplyError::Conflict(described.join("; "))
    })
}

/// The start logs its routes as they begin to listen.
fn report(origin: Origin, applied: &AppliedChange) {
    if origin != Origin::Start {
        let AppliedChange { route, change, connections } = applied;
        emit(&Event::RouteChanged { origin, route, change, connections: *connections });
    }
}

fn kill_reason(mode: CloseMode) -> CloseReason {
    match mode {
        CloseMode::Close => CloseReason::Killed,
        CloseMode::Reset => CloseReason::KilledByReset,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
