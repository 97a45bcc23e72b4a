//! The workers: a thread for each load, told when to work and when to rest, each with a desk on which it says what it is
//! at. Who does not get on with it is found here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use fastrand::Rng;

use crate::failure::{Failure, Outcome};
use crate::loads::{LOADS, Load};
use crate::peer::Peer;
use crate::route::{self, TestRoute};
use crate::run_state::{RunControl, RunState};

/// A step ends by itself after [`crate::peer::PATIENCE`] without a byte; one that lasts four times as long is stuck in
/// something else, or crawls.
const LONGEST_STEP: Duration = Duration::from_secs(120);

/// What a load works with.
pub struct Worker {
    pub route: TestRoute,
    pub rng: Rng,
    progress: Arc<Progress>,
    control: Arc<RunControl>,
}

/// Everyone.
pub struct Workers {
    control: Arc<RunControl>,
    progress: Vec<Arc<Progress>>,
    threads: Vec<JoinHandle<()>>,
    failures: Receiver<WorkerFailure>,
}

/// What is wrong, and who found it at what.
pub struct WorkerFailure {
    /// The name of the worker and of its route.
    pub worker: String,
    connection: u64,
    step: &'static str,
    failure: Failure,
}

struct Progress {
    name: String,
    kind: &'static str,
    done: AtomicU64,
    step: Mutex<(&'static str, Instant)>,
}

/// The routes that the crew's lanes need.
pub fn route_configs(ip: Ipv4Addr) -> Vec<String> {
    let numbered = (1..).zip(LOADS);
    numbered.map(|(number, load)| route::config(ip, number, &name(number, load), load.dial, load.keys)).collect()
}

fn name(number: u16, load: &Load) -> String {
    format!("{}-{number}", load.kind)
}

impl Workers {
    /// All of it, at rest. What each does follows from `seed`.
    pub fn start_paused(ip: Ipv4Addr, seed: u64) -> Outcome<Self> {
        let (sender, failures) = crossbeam_channel::unbounded();
        let mut workers = Self { control: Arc::default(), progress: Vec::new(), threads: Vec::new(), failures };
        for (number, load) in (1..).zip(LOADS) {
            let worker = Worker {
                route: TestRoute::open(ip, number, load.dial)?,
                rng: Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(number.into())),
                progress: Arc::new(Progress::new(name(number, load), load.kind)),
                control: Arc::clone(&workers.control),
            };
            workers.spawn(worker, load.run, sender.clone())?;
        }
        Ok(workers)
    }

    fn spawn(&mut self, mut worker: Worker, run: fn(&mut Worker) -> Outcome, sender: Sender<WorkerFailure>) -> Outcome {
        self.progress.push(Arc::clone(&worker.progress));
        let work = move || {
            if let Err(failure) = worker.work(run) {
                // Of several failures the first is told; nobody listens to the others.
                let _ = sender.send(worker.progress.failure(failure));
            }
        };
        self.threads.push(Builder::new().spawn(work)?);
        Ok(())
    }

    pub fn resume(&self) {
        self.control.set(RunState::Running);
    }

    /// Has everyone end what they are at.
    ///
    /// # Errors
    /// Someone fails at it, or does not end.
    pub fn pause(&self) -> Result<(), WorkerFailure> {
        self.control.set(RunState::Paused);
        let deadline = Instant::now() + LONGEST_STEP;
        while !self.control.wait_until_paused(self.progress.len(), Duration::from_secs(1)) {
            self.watch(Duration::ZERO)?;
            if Instant::now() > deadline {
                return Err(self.slowest().failure(Failure::new("it does not come to rest")));
            }
        }
        self.watch(Duration::ZERO)
    }

    /// Everyone must be resting.
    pub fn join(self) -> Outcome {
        self.control.set(RunState::Stopped);
        let ended = self.threads.into_iter().try_for_each(JoinHandle::join);
        ended.map_err(|_| Failure::new("this program panicked"))
    }

    /// Waits for `time`, unless someone fails or is stuck.
    ///
    /// # Errors
    /// Who, and at what.
    pub fn watch(&self, time: Duration) -> Result<(), WorkerFailure> {
        if let Ok(failure) = self.failures.recv_timeout(time) {
            return Err(failure);
        }
        let slowest = self.slowest();
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err(slowest.failure(Failure::new("a worker of this program has panicked")));
        }
        let stuck = slowest.step().1.elapsed() > LONGEST_STEP;
        if stuck { Err(slowest.failure(Failure::new(format!("stuck for {LONGEST_STEP:?}")))) } else { Ok(()) }
    }

    /// How many connections of each kind are done.
    pub fn done(&self) -> BTreeMap<&'static str, u64> {
        let mut done = BTreeMap::new();
        for progress in &self.progress {
            *done.entry(progress.kind).or_default() += progress.done.load(Ordering::Relaxed);
        }
        done
    }

    /// Whose present step has lasted longest. There is at least one load, which the fold begins with.
    fn slowest(&self) -> &Progress {
        self.progress.iter().fold(&self.progress[0], |slowest, progress| {
            if progress.since() < slowest.since() { progress } else { slowest }
        })
    }
}

impl Worker {
    /// Says what it is at from here on.
    pub fn step(&self, step: &'static str) {
        self.progress.set(step);
    }

    /// Counts connections beside the one that each run of a load is.
    pub fn count(&self, more: u64) {
        self.progress.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Waits for `time`, or until everyone is to rest.
    pub fn wait_for(&self, time: Duration) {
        self.control.wait_for(time);
    }

    /// A short break, for a load whose runs take next to no time: unbridled it would crowd out all others.
    pub fn pause_briefly(&mut self) {
        let time = Duration::from_millis(self.rng.u64(..40));
        self.wait_for(time);
    }

    /// Draws which of the two ends is to act first.
    pub fn in_random_order(&mut self, one: Peer, other: Peer) -> (Peer, Peer) {
        if self.rng.bool() { (one, other) } else { (other, one) }
    }

    fn work(&mut self, run: fn(&mut Self) -> Outcome) -> Outcome {
        while self.wait_until_running() {
            run(self)?;
            self.count(1);
        }
        Ok(())
    }

    fn wait_until_running(&self) -> bool {
        self.step(PAUSED);
        self.control.wait_while_paused()
    }
}

/// The one step that may last.
const PAUSED: &str = "paused";

impl Progress {
    fn new(name: String, kind: &'static str) -> Self {
        Self { name, kind, done: AtomicU64::new(0), step: Mutex::new((PAUSED, Instant::now())) }
    }

    fn set(&self, step: &'static str) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = (step, Instant::now());
    }

    fn step(&self) -> (&'static str, Instant) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When its step began; of one that may last, just now.
    fn since(&self) -> Instant {
        let (step, since) = self.step();
        if step == PAUSED { Instant::now() } else { since }
    }

    fn failure(&self, failure: Failure) -> WorkerFailure {
        let connection = self.done.load(Ordering::Relaxed) + 1;
        WorkerFailure { worker: self.name.clone(), connection, step: self.step().0, failure }
    }
}

impl WorkerFailure {
    /// With what the proxy's log says of the route.
    pub fn into_failure(self, log: &[String]) -> Failure {
        let who = format!("{}, its connection {}, {}", self.worker, self.connection, self.step);
        self.failure.with_context(&who, &format!("\nThe log's last lines of this route:\n{}", log.join("\n")))
    }
}
