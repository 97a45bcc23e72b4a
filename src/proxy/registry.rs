//! The live connections, by an id that is unique in the run. Drain, cut, lists and counters use it. The limit on their
//! number is `admission`.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counters::{Activity, Closed, RouteCounters, Totals};
use super::histogram::Histogram;
use super::live_route::LiveRoute;
use super::state::ConnectionState;
use super::status::{ConnectionStatus, OpenConnection, RouteStatus};
use crate::event::{CloseReason, Subject};
use crate::value::{Direction, RouteName};

/// Every connection that was accepted and is not closed yet.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// The id of the connection registered last.
    latest: u64,
    connections: HashMap<u64, Arc<ConnectionState>>,
    /// The number of connections that ended because they were cut.
    cut: usize,
    /// Set by a cut: connections registered after it are cut at once.
    closed: bool,
}

/// Keeps a connection registered until it is dropped.
#[derive(Debug)]
pub struct Registration {
    id: u64,
    state: Arc<ConnectionState>,
    registry: Arc<Registry>,
}

impl Registry {
    pub fn register(self: &Arc<Self>, state: ConnectionState) -> Registration {
        let state = Arc::new(state);
        let mut entries = self.entries();
        entries.latest += 1;
        let id = entries.latest;
        entries.connections.insert(id, Arc::clone(&state));
        let closed = entries.closed;
        drop(entries);
        if closed {
            state.abort(CloseReason::Cut);
        }
        Registration { id, state, registry: Arc::clone(self) }
    }

    pub fn len(&self) -> usize {
        self.entries().connections.len()
    }

    /// Resets all live connections, and all that are registered later.
    pub fn cut(&self) {
        for state in self.close() {
            state.abort(CloseReason::Cut);
        }
    }

    /// Ends one connection and returns it, if there is one with that id.
    pub fn abort(&self, id: u64, why: CloseReason) -> Option<Subject> {
        let state = self.entries().connections.get(&id).cloned()?;
        state.abort(why);
        Some(state.subject.clone())
    }

    /// Ends all connections of a route. Returns their number.
    pub fn abort_all(&self, route: &RouteName, why: CloseReason) -> usize {
        let of_route = |state: &&Arc<ConnectionState>| state.subject.route.name == *route;
        let states: Vec<_> = self.entries().connections.values().filter(of_route).cloned().collect();
        for state in &states {
            state.abort(why);
        }
        states.len()
    }

    /// The number of live connections of a route.
    pub fn active(&self, route: &RouteName) -> usize {
        self.entries().connections.values().filter(|state| state.subject.route.name == *route).count()
    }

    /// The number of connections that were cut, including those that are still closing.
    pub fn cut_count(&self) -> usize {
        let entries = self.entries();
        entries.cut + entries.connections.values().filter(|state| state.aborted() == Some(CloseReason::Cut)).count()
    }

    /// All live connections, in the order in which they were accepted.
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        let states: Vec<_> = self.entries().connections.iter().map(|(id, state)| (*id, Arc::clone(state))).collect();
        let mut connections: Vec<_> = states.iter().map(|(id, state)| connection_status(*id, state)).collect();
        connections.sort_unstable_by_key(|connection| connection.id);
        connections
    }

    /// The state of each route. The closed connections and the live ones are taken under one lock, so that each is
    /// counted once; they are added up after that, because listeners wait for the lock.
    pub fn routes(&self, routes: &[Arc<LiveRoute>]) -> Vec<RouteStatus> {
        let (live, closed): (Vec<_>, Vec<_>) = {
            let entries = self.entries();
            (entries.connections.values().cloned().collect(), routes.iter().map(|it| it.counters().closed()).collect())
        };
        let mut active: HashMap<&RouteName, Active> = HashMap::new();
        for state in &live {
            active.entry(&state.subject.route.name).or_default().add(state);
        }
        let status = |(route, closed): (&Arc<LiveRoute>, Closed)| {
            route_status(route, closed, active.remove(route.name()).unwrap_or_default())
        };
        routes.iter().zip(closed).map(status).collect()
    }

    /// What all connections of these routes have done, taken and added up as in [`routes`](Self::routes).
    pub fn activity(&self, counters: &[Arc<RouteCounters>]) -> Activity {
        let mut activity = Activity::default();
        let live: Vec<_> = {
            let entries = self.entries();
            for closed in counters {
                closed.add_activity(&mut activity);
            }
            entries.connections.values().cloned().collect()
        };
        activity.open = live.len();
        for state in live {
            state.add_activity(&mut activity);
        }
        activity
    }

    /// The live connections that were accepted first, at most `count`.
    pub fn oldest(&self, count: usize) -> Vec<OpenConnection> {
        let entries = self.entries();
        let mut ids: Vec<u64> = entries.connections.keys().copied().collect();
        ids.sort_unstable();
        let oldest = ids.iter().take(count).filter_map(|id| entries.connections.get(id));
        oldest
            .map(|state| OpenConnection { subject: state.subject.clone(), age: state.accepted_at.elapsed() })
            .collect()
    }

    fn close(&self) -> Vec<Arc<ConnectionState>> {
        let mut entries = self.entries();
        entries.closed = true;
        entries.connections.values().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connection_status(id: u64, state: &ConnectionState) -> ConnectionStatus {
    ConnectionStatus {
        id,
        subject: state.subject.clone(),
        phase: state.phase(),
        age: state.accepted_at.elapsed(),
        bytes_up: state.progress(Direction::Upstream).delivered(),
        bytes_down: state.progress(Direction::Downstream).delivered(),
        toxics: state.acting_toxics(),
    }
}

/// What the live connections of a route have done so far.
#[derive(Default)]
struct Active {
    count: usize,
    totals: Totals,
    ages: Histogram,
}

impl Active {
    fn add(&mut self, state: &ConnectionState) {
        self.count += 1;
        state.add_to(&mut self.totals);
        self.ages.observe(state.accepted_at.elapsed());
    }
}

fn route_status(live: &LiveRoute, closed: Closed, active: Active) -> RouteStatus {
    let (counters, generation) = (live.counters(), live.generation());
    let Closed { mut totals, reasons, durations } = closed;
    totals.add(active.totals);
    RouteStatus {
        route: Arc::clone(&generation.route),
        generation: generation.number,
        accepted: counters.accepted(),
        active: active.count,
        dropped: counters.dropped(),
        delayed: counters.delayed(),
        failed_dials: counters.failed_dials(),
        totals,
        closed: reasons,
        dials: counters.dials(),
        delays: counters.delays(),
        durations,
        ages: active.ages,
    }
}

impl Deref for Registration {
    type Target = Arc<ConnectionState>;

    fn deref(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for Registration {
    /// Only what must happen at once is done under the lock, for which listeners wait.
    fn drop(&mut self) {
        let Self { id, state, registry } = self;
        let (reason, lasted, mut totals) = (state.close_reason(), state.accepted_at.elapsed(), Totals::default());
        state.add_to(&mut totals);
        let is_cut = state.aborted() == Some(CloseReason::Cut);
        let mut entries = registry.entries();
        entries.connections.remove(id);
        entries.cut += usize::from(is_cut);
        state.route.counters().add_closed(reason, lasted, totals);
    }
}
