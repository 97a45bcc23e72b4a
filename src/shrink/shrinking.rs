//! A search for the smallest set of faults: first whole faults are left out, then connections, then single acts. In the
//! end, what is left is written without draws, act by act. A config counts as failing if each of several runs with it fails.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::acts::{Act, Hit, acts, hits, on_bytes, on_connections};
use super::ddmin::minimal;
use super::explicit::explicit;
use super::faults::{self, Fault, keep, name_of, toxics};
use crate::harness::trial::{NoResult, NoTrial, Subject, Trials};
use crate::logging::LogLevel;
use crate::plan::keys::{ROUTES, SCENARIO, SEED};
use crate::toxic::keys::TYPE;
use crate::units::duration;

/// The types of toxics that act on single segments or bytes.
const DRAWN: [&str; 4] = ["latency", "packet_loss", "corrupt", "slicer"];

/// The most acts of a toxic of which some are left out.
const MOST_ACTS: usize = 10_000;

/// What is shrunk, and how.
#[derive(Debug)]
pub struct Shrinking {
    /// The config, with a seed, as JSON.
    pub config: Value,
    /// What is run.
    pub subject: Subject,
    /// How many runs with a config must fail.
    pub repeat: u32,
    /// Where the config is written that is found. `None`: to stdout.
    pub write: Option<PathBuf>,
}

impl Shrinking {
    /// Shrinks, writes the config that is left, prints the progress to stderr, and returns the exit code: 0, or 130 or 143
    /// after a signal, when the config is the smallest so far. Call it from the main thread, before any other starts.
    ///
    /// # Errors
    /// The failure does not reproduce, or does not need the faults; or there is no run.
    pub fn execute(self) -> Result<u8, NoResult> {
        if !self.config[SCENARIO.name].is_null() {
            let what = "a scenario changes faults over time, and can't be shrunk: write the faults of its time into the routes";
            return Err(NoResult::Unsuitable(what.to_owned()));
        }
        let all = faults::of(&self.config);
        let trials = Trials::new(self.subject.clone(), LogLevel::Debug)?;
        let mut search = Search::begin(&self, &trials)?;
        let ended = search.shrink(&all);
        let signal = match ended {
            Ok(()) => None,
            Err(NoTrial::Interrupted(signal)) => Some(signal),
            Err(NoTrial::Failed(error)) => return Err(error.into()),
        };
        say(&search.summary(&all));
        self.write(&search.best)?;
        Ok(signal.map_or(0, |signal| 128 + signal.number()))
    }

    fn write(&self, config: &Value) -> io::Result<()> {
        let text = format!("{config:#}\n");
        let Some(path) = &self.write else {
            // A closed stdout is not an error.
            let _ = io::stdout().write_all(text.as_bytes());
            return Ok(());
        };
        fs::write(path, text)
            .map_err(|error| io::Error::new(error.kind(), format!("can't write {}: {error}", path.display())))
    }
}

/// The state of the search.
struct Search<'s> {
    trials: &'s Trials,
    repeat: u32,
    limit: Duration,
    began: Instant,
    runs: u64,
    /// The smallest config that fails so far, and the log of its last run.
    best: Value,
    log: Vec<Value>,
}

impl<'s> Search<'s> {
    /// Makes sure that the command fails with the config, and not without its faults.
    fn begin(shrinking: &Shrinking, trials: &'s Trials) -> Result<Self, NoResult> {
        let (config, repeat, began) = (&shrinking.config, shrinking.repeat, Instant::now());
        let first = trials.run(config, shrinking.subject.timeout, &[])?;
        let limit = shrinking.subject.limit(first.lasted);
        let mut search = Self { trials, repeat, limit, began, runs: 1, best: config.clone(), log: Vec::new() };
        let is_reproduced = first.failure().is_some() && search.fails(config)?;
        if !is_reproduced {
            return Err(NoResult::Unsuitable(format!(
                "the failure does not reproduce: run {} has succeeded with seed {}. Give the seed of a run that has failed, or \
                 --seeds 1-100 to find one; if the command fails now and then with the same seed, it does so for another reason",
                search.runs, config[SEED.name]
            )));
        }
        search.runs += 1;
        if trials.run(&keep(config, &[]), Some(limit), &[])?.failure().is_some() {
            let what = "the command fails without any of these faults too: its failure has another reason";
            return Err(NoResult::Unsuitable(what.to_owned()));
        }
        Ok(search)
    }

    fn shrink(&mut self, all: &[Fault]) -> Result<(), NoTrial> {
        self.leave_out_faults(all)?;
        self.leave_out_connections()?;
        for (route, toxic) in self.drawn_toxics() {
            self.leave_out_acts(&route, &toxic)?;
        }
        self.make_explicit()
    }

    fn leave_out_faults(&mut self, all: &[Fault]) -> Result<(), NoTrial> {
        let base = self.best.clone();
        let (left, ended) = minimal(all, |kept| self.fails(&keep(&base, kept)));
        let names: Vec<String> = left.iter().map(Fault::to_string).collect();
        say(&format!("{} of {} faults left after {} runs: {}", left.len(), all.len(), self.runs, names.join(", ")));
        ended
    }

    /// Drops are decided by their rate, which can't be restricted to connections.
    fn leave_out_connections(&mut self) -> Result<(), NoTrial> {
        let (base, all) = (self.best.clone(), self.hits());
        let all: Vec<Hit> = all.into_iter().filter(|hit| hit.toxic.is_some()).collect();
        if all.len() < 2 {
            return Ok(());
        }
        let (left, ended) = minimal(&all, |kept| self.fails(&on_connections(&base, &all, kept)));
        say(&format!("{} of {} connections with faults left after {} runs", left.len(), all.len(), self.runs));
        ended
    }

    /// The toxics whose acts are drawn for each segment or byte: the route and the name of each.
    fn drawn_toxics(&self) -> Vec<(String, String)> {
        let routes = self.best[ROUTES.name].as_array().into_iter().flatten();
        let of_route = |route: &Value| {
            let drawn = toxics(route).filter(|toxic| toxic[TYPE.name].as_str().is_some_and(|it| DRAWN.contains(&it)));
            drawn.map(|toxic| (name_of(route), name_of(toxic))).collect::<Vec<_>>()
        };
        routes.flat_map(of_route).collect()
    }

    /// The bytes of a toxic can only be selected if it acts on a single connection.
    fn leave_out_acts(&mut self, route: &str, toxic: &str) -> Result<(), NoTrial> {
        let base = self.best.clone();
        let all: Vec<Act> =
            acts(&self.log).into_iter().filter(|act| act.route == route && act.toxic == toxic).collect();
        let is_single = all.iter().all(|act| act.connection == all[0].connection);
        if !(2..=MOST_ACTS).contains(&all.len()) || !is_single {
            return Ok(());
        }
        let (left, ended) = minimal(&all, |kept| self.fails(&on_bytes(&base, &all, kept)));
        say(&format!("{} of {} acts of {toxic} left after {} runs", left.len(), all.len(), self.runs));
        ended
    }

    /// Then each act is a fault of its own, so those of several connections can be left out too.
    fn make_explicit(&mut self) -> Result<(), NoTrial> {
        let drawn = self.best.clone();
        let config = explicit(&drawn, &self.hits(), &acts(&self.log));
        if config == drawn {
            return Ok(());
        }
        if !self.fails(&config)? {
            say("the same faults without draws do not fail: the config keeps its rates, and needs its seed");
            return Ok(());
        }
        let explicit = faults::of(&config);
        if explicit.len() > faults::of(&drawn).len() { self.leave_out_faults(&explicit) } else { Ok(()) }
    }

    fn hits(&self) -> Vec<Hit> {
        let known = faults::of(&self.best);
        hits(&self.log).into_iter().filter(|hit| known.contains(&hit.fault())).collect()
    }

    /// Whether each run with the config fails. Then it is the best so far.
    fn fails(&mut self, config: &Value) -> Result<bool, NoTrial> {
        let mut log = Vec::new();
        for _ in 0..self.repeat {
            let trial = self.trials.run(config, Some(self.limit), &[])?;
            self.runs += 1;
            if trial.failure().is_none() {
                return Ok(false);
            }
            log = trial.into_log();
        }
        (self.best, self.log) = (config.clone(), log);
        Ok(true)
    }

    fn summary(&self, all: &[Fault]) -> String {
        let (left, runs, lasted) = (faults::of(&self.best).len(), self.runs, duration(self.began.elapsed()));
        format!("{left} of {} faults are enough, found in {runs} runs and {lasted}", all.len())
    }
}

fn say(what: &str) {
    // If stderr is closed, the config is still written.
    let _ = writeln!(io::stderr(), "{what}");
}
