//! The workers: one thread per load. Each runs connections while the run state allows it and records its current step,
//! so that failures name the step and stuck workers are found.

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

/// A read or write fails after [`crate::peer::TIMEOUT`] without a byte. A step that lasts four times as long is stuck
/// elsewhere, or makes too little progress.
const LONGEST_STEP: Duration = Duration::from_secs(120);

/// A worker, as its load uses it.
pub struct Worker {
    pub route: TestRoute,
    pub rng: Rng,
    progress: Arc<Progress>,
    control: Arc<RunControl>,
}

/// All workers.
pub struct Workers {
    control: Arc<RunControl>,
    progress: Vec<Arc<Progress>>,
    threads: Vec<JoinHandle<()>>,
    failures: Receiver<WorkerFailure>,
}

/// A failure with the worker and the step in which it occurred.
pub struct WorkerFailure {
    /// The name of the worker, which is also that of its route.
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

/// The config of the workers' routes.
pub fn route_configs(ip: Ipv4Addr) -> Vec<String> {
    let numbered = (1..).zip(LOADS);
    numbered.map(|(number, load)| route::config(ip, number, &name(number, load), load.dial, load.keys)).collect()
}

fn name(number: u16, load: &Load) -> String {
    format!("{}-{number}", load.kind)
}

impl Workers {
    /// Starts one worker per load, in the paused state. What each does follows from `seed`.
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
                // Only the first failure is reported. The receiver may be gone for later ones.
                let _ = sender.send(worker.progress.failure(failure));
            }
        };
        self.threads.push(Builder::new().spawn(work)?);
        Ok(())
    }

    pub fn resume(&self) {
        self.control.set(RunState::Running);
    }

    /// Waits until all workers have ended their current run of a load and are paused.
    ///
    /// # Errors
    /// A worker fails, or does not pause in time.
    pub fn pause(&self) -> Result<(), WorkerFailure> {
        self.control.set(RunState::Paused);
        let deadline = Instant::now() + LONGEST_STEP;
        while !self.control.wait_until_paused(self.progress.len(), Duration::from_secs(1)) {
            self.watch(Duration::ZERO)?;
            if Instant::now() > deadline {
                return Err(self.slowest().failure(Failure::new("it does not pause")));
            }
        }
        self.watch(Duration::ZERO)
    }

    /// Stops the workers, which must be paused, and joins their threads.
    pub fn join(self) -> Outcome {
        self.control.set(RunState::Stopped);
        let ended = self.threads.into_iter().try_for_each(JoinHandle::join);
        ended.map_err(|_| Failure::new("this program panicked"))
    }

    /// Waits for `time`, or until a worker fails.
    ///
    /// # Errors
    /// A worker failed or is stuck.
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

    /// The number of completed connections of each kind.
    pub fn done(&self) -> BTreeMap<&'static str, u64> {
        let mut done = BTreeMap::new();
        for progress in &self.progress {
            *done.entry(progress.kind).or_default() += progress.done.load(Ordering::Relaxed);
        }
        done
    }

    /// The worker whose current step has lasted longest. Indexing holds because there is at least one load.
    fn slowest(&self) -> &Progress {
        self.progress.iter().fold(&self.progress[0], |slowest, progress| {
            if progress.since() < slowest.since() { progress } else { slowest }
        })
    }
}

impl Worker {
    /// Records the step that begins now.
    pub fn step(&self, step: &'static str) {
        self.progress.set(step);
    }

    /// Counts connections beyond the one that each run of a load counts for.
    pub fn count(&self, more: u64) {
        self.progress.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Waits for `time`, or until the workers are to pause.
    pub fn sleep(&self, time: Duration) {
        self.control.sleep(time);
    }

    /// Waits up to 40 ms. For loads whose runs take almost no time and would otherwise starve the others.
    pub fn pause_briefly(&mut self) {
        let time = Duration::from_millis(self.rng.u64(..40));
        self.sleep(time);
    }

    /// Draws which of the two ends acts first.
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

/// The only step without a time limit.
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

    /// The start of the current step, or the current time while paused.
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
    /// Adds the worker, its step and the last log lines of its route.
    pub fn into_failure(self, log: &[String]) -> Failure {
        let worker = format!("{}, connection {}, {}", self.worker, self.connection, self.step);
        self.failure.with_context(&worker, &format!("\nLast log lines of this route:\n{}", log.join("\n")))
    }
}
