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

use crate::gate::{Gate, Order};
use crate::lane::{self, Lane};
use crate::loads::{LOADS, Load};
use crate::peer::Peer;
use crate::wrong::{Outcome, Wrong};

/// A step ends by itself after [`crate::peer::PATIENCE`] without a byte; one that lasts four times as long is stuck in
/// something else, or crawls.
const LONGEST_STEP: Duration = Duration::from_secs(120);

/// What a load works with.
pub struct Worker {
    pub lane: Lane,
    pub rng: Rng,
    desk: Arc<Desk>,
    gate: Arc<Gate>,
}

/// Everyone.
pub struct Crew {
    gate: Arc<Gate>,
    desks: Vec<Arc<Desk>>,
    threads: Vec<JoinHandle<()>>,
    failures: Receiver<Failure>,
}

/// What is wrong, and who found it at what.
pub struct Failure {
    /// The name of the worker and of its route.
    pub worker: String,
    connection: u64,
    step: &'static str,
    wrong: Wrong,
}

struct Desk {
    name: String,
    kind: &'static str,
    done: AtomicU64,
    step: Mutex<(&'static str, Instant)>,
}

/// The routes that the crew's lanes need.
pub fn routes(ip: Ipv4Addr) -> Vec<String> {
    let numbered = (1..).zip(LOADS);
    numbered.map(|(number, load)| lane::route(ip, number, &name(number, load), load.dial, load.route)).collect()
}

fn name(number: u16, load: &Load) -> String {
    format!("{}-{number}", load.kind)
}

impl Crew {
    /// All of it, at rest. What each does follows from `seed`.
    pub fn assemble(ip: Ipv4Addr, seed: u64) -> Outcome<Self> {
        let (tell, failures) = crossbeam_channel::unbounded();
        let mut crew = Self { gate: Arc::default(), desks: Vec::new(), threads: Vec::new(), failures };
        for (number, load) in (1..).zip(LOADS) {
            let worker = Worker {
                lane: Lane::open(ip, number, load.dial)?,
                rng: Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(number.into())),
                desk: Arc::new(Desk::new(name(number, load), load.kind)),
                gate: Arc::clone(&crew.gate),
            };
            crew.hire(worker, load.run, tell.clone())?;
        }
        Ok(crew)
    }

    fn hire(&mut self, mut worker: Worker, run: fn(&mut Worker) -> Outcome, tell: Sender<Failure>) -> Outcome {
        self.desks.push(Arc::clone(&worker.desk));
        let work = move || {
            if let Err(wrong) = worker.work(run) {
                // Of several failures the first is told; nobody listens to the others.
                let _ = tell.send(worker.desk.failure(wrong));
            }
        };
        self.threads.push(Builder::new().spawn(work)?);
        Ok(())
    }

    pub fn work(&self) {
        self.gate.give(Order::Work);
    }

    /// Has everyone end what they are at.
    ///
    /// # Errors
    /// Someone fails at it, or does not end.
    pub fn rest(&self) -> Result<(), Failure> {
        self.gate.give(Order::Rest);
        let deadline = Instant::now() + LONGEST_STEP;
        while !self.gate.all_rest(self.desks.len(), Duration::from_secs(1)) {
            self.watch(Duration::ZERO)?;
            if Instant::now() > deadline {
                return Err(self.slowest().failure(Wrong::new("it does not come to rest")));
            }
        }
        self.watch(Duration::ZERO)
    }

    /// Everyone must be resting.
    pub fn go_home(self) -> Outcome {
        self.gate.give(Order::GoHome);
        let ended = self.threads.into_iter().try_for_each(JoinHandle::join);
        ended.map_err(|_| Wrong::new("this program panicked"))
    }

    /// Waits for `time`, unless someone fails or is stuck.
    ///
    /// # Errors
    /// Who, and at what.
    pub fn watch(&self, time: Duration) -> Result<(), Failure> {
        if let Ok(failure) = self.failures.recv_timeout(time) {
            return Err(failure);
        }
        let slowest = self.slowest();
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err(slowest.failure(Wrong::new("a worker of this program has panicked")));
        }
        let stuck = slowest.step().1.elapsed() > LONGEST_STEP;
        if stuck { Err(slowest.failure(Wrong::new(format!("stuck for {LONGEST_STEP:?}")))) } else { Ok(()) }
    }

    /// How many connections of each kind are done.
    pub fn done(&self) -> BTreeMap<&'static str, u64> {
        let mut done = BTreeMap::new();
        for desk in &self.desks {
            *done.entry(desk.kind).or_default() += desk.done.load(Ordering::Relaxed);
        }
        done
    }

    /// Whose present step has lasted longest. There is at least one load, which the fold begins with.
    fn slowest(&self) -> &Desk {
        self.desks
            .iter()
            .fold(&self.desks[0], |slowest, desk| if desk.since() < slowest.since() { desk } else { slowest })
    }
}

impl Worker {
    /// Says what it is at from here on.
    pub fn step(&self, step: &'static str) {
        self.desk.put(step);
    }

    /// Counts connections beside the one that each run of a load is.
    pub fn count(&self, more: u64) {
        self.desk.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Waits for `time`, or until everyone is to rest.
    pub fn pass_time(&self, time: Duration) {
        self.gate.pass_time(time);
    }

    /// A short break, for a load whose runs take next to no time: unbridled it would crowd out all others.
    pub fn breathe(&mut self) {
        let time = Duration::from_millis(self.rng.u64(..40));
        self.pass_time(time);
    }

    /// Draws which of the two ends is to act first.
    pub fn either_first(&mut self, one: Peer, other: Peer) -> (Peer, Peer) {
        if self.rng.bool() { (one, other) } else { (other, one) }
    }

    fn work(&mut self, run: fn(&mut Self) -> Outcome) -> Outcome {
        while self.may_go_on() {
            run(self)?;
            self.count(1);
        }
        Ok(())
    }

    fn may_go_on(&self) -> bool {
        self.step(AT_THE_GATE);
        self.gate.pass()
    }
}

/// The one step that may last.
const AT_THE_GATE: &str = "resting";

impl Desk {
    fn new(name: String, kind: &'static str) -> Self {
        Self { name, kind, done: AtomicU64::new(0), step: Mutex::new((AT_THE_GATE, Instant::now())) }
    }

    fn put(&self, step: &'static str) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = (step, Instant::now());
    }

    fn step(&self) -> (&'static str, Instant) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When its step began; of one that may last, just now.
    fn since(&self) -> Instant {
        let (step, since) = self.step();
        if step == AT_THE_GATE { Instant::now() } else { since }
    }

    fn failure(&self, wrong: Wrong) -> Failure {
        let connection = self.done.load(Ordering::Relaxed) + 1;
        Failure { worker: self.name.clone(), connection, step: self.step().0, wrong }
    }
}

impl Failure {
    /// With what the proxy's log says of the route.
    pub fn into_wrong(self, log: &[String]) -> Wrong {
        let who = format!("{}, its connection {}, {}", self.worker, self.connection, self.step);
        self.wrong.told(&who, &format!("\nThe log's last lines of this route:\n{}", log.join("\n")))
    }
}
