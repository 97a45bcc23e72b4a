//! Owns what is live. A plan comes in through [`Supervisor::apply`] and by no other way; [`Supervisor::drain`] ends it.

use std::convert::Infallible;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, never, select, tick};

use crate::event::{Event, emit};
use crate::limits::Cap;
use crate::plan::{Plan, Route};
use crate::proxy::admission::ConnectionLimit;
use crate::proxy::listener::Listener;
use crate::proxy::shared::Shared;
use crate::stop::Stop;
use crate::threads;

/// Between two lines that tell how many connections a drain still waits for.
const REMINDER: Duration = Duration::from_secs(5);

/// How long the listeners have to empty their backlogs before those in flight are counted.
const CLOSING: Duration = Duration::from_millis(100);

/// How long connections that were cut have to say so in the log. They need microseconds; a machine that is out of
/// breath should not keep the process from ending.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The live routes.
#[derive(Debug)]
pub struct Supervisor {
    cap: Cap,
    shared: Arc<Shared>,
    open: Sender<Infallible>,
    /// Disconnects when the last port is closed.
    closed: Receiver<Infallible>,
    /// Disconnects when the last connection is gone.
    gone: Receiver<Infallible>,
}

/// Why a plan could not be applied.
#[derive(Debug)]
pub enum ApplyError<'a> {
    /// These ports can't be listened on. Nothing is live.
    Bind(Vec<(&'a Route, io::Error)>),
    /// There is no thread for a listener. Those before it are live.
    Thread(io::Error),
}

impl Supervisor {
    /// Nothing is live yet; no more connections will be served at once than `cap` has room for.
    #[must_use]
    pub fn new(cap: Cap, stop: Arc<Stop>) -> Self {
        let (open, closed) = crossbeam_channel::bounded(0);
        let (alive, gone) = crossbeam_channel::bounded(0);
        let (registry, pool, overflow) = (Arc::default(), Arc::default(), ConnectionLimit::new(cap.overflow));
        let shared = Shared { registry, overflow, pool, stop, alive };
        Self { cap, shared: Arc::new(shared), open, closed, gone }
    }

    /// Makes the routes of `plan` live: every port is bound before any connection is accepted.
    ///
    /// # Errors
    /// All ports that can't be bound, or the lack of a thread.
    pub fn apply<'a>(&self, plan: &'a Plan, seed: u64) -> Result<(), ApplyError<'a>> {
        for listener in self.bind_all(plan, seed)? {
            emit(&Event::Listening(listener.route()));
            let (shared, open) = (Arc::clone(&self.shared), self.open.clone());
            threads::spawn("listener", move || listener.run(&shared, open)).map_err(ApplyError::Thread)?;
        }
        Ok(())
    }

    /// Waits until the last connection has come to its natural end, at most until `timeout` has passed or the stop asks
    /// for a cut; what is left then is reset. Returns how many connections that were.
    #[must_use]
    pub fn drain(self, timeout: Option<Duration>) -> usize {
        let Self { shared, open, closed, gone, .. } = self;
        let (registry, stop) = (Arc::clone(&shared.registry), Arc::clone(&shared.stop));
        // The listeners hold what is shared until they have ended; this was the last hold on it besides theirs.
        drop((shared, open));
        // Where it takes longer, the count comes too early, and is made up for by the reminders.
        let _ = closed.recv_timeout(CLOSING);
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
        // In this order: whoever a listener admits without having heard the bell is on the roster by then.
        stop.cut().trigger();
        registry.cut();
        // Whether they managed or not, this was all the time they have.
        let _ = gone.recv_timeout(LAST_WORDS);
        registry.cut_count()
    }

    fn bind_all<'a>(&self, plan: &'a Plan, seed: u64) -> Result<Vec<Listener>, ApplyError<'a>> {
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for (route, connection_limit) in plan.routes().iter().zip(self.connection_limit(plan)) {
            match Listener::bind(route, seed, connection_limit) {
                Ok(listener) => bound.push(listener),
                Err(error) => failed.push((route, error)),
            }
        }
        if failed.is_empty() { Ok(bound) } else { Err(ApplyError::Bind(failed)) }
    }

    /// Where routes feed each other, a connection that holds a place waits for another one to get its own. Were they all
    /// of one kind, everybody could hold one and wait; so each stage of the way has places of its own.
    fn connection_limit(&self, plan: &Plan) -> Vec<Arc<ConnectionLimit>> {
        let stages = plan.stages_ahead();
        let longest = stages.iter().max().map_or(1, |most| most + 1);
        let share = NonZeroUsize::new(self.cap.connections.get() / longest).unwrap_or(NonZeroUsize::MIN);
        let of_stage: Vec<_> = (0..longest).map(|_| Arc::new(ConnectionLimit::new(share))).collect();
        stages.into_iter().map(|stage| Arc::clone(&of_stage[stage])).collect()
    }
}
