//! An exploration: a run without faults, which is repeated, then one run for each point.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fault::Fault;
use super::journal::{Earlier, Journal, identity};
use super::only::Only;
use super::point::{Point, points, sampled};
use super::progress::Progress;
use super::recorded::{self, Recorded};
use super::results::{Format, Results, Verdict};
use crate::dice;
use crate::harness::shell::command_line;
use crate::harness::trial::{NoResult, NoTrial, Subject, Trial, Trials};
use crate::logging::LogLevel;
use crate::plan::keys::SEED;
use crate::stop::Signal;
use crate::value::Direction;

/// The exit code if the command has failed with a fault.
const FOUND: u8 = 5;

/// What is explored, and how.
#[derive(Debug)]
pub struct Exploration {
    /// The config as JSON. Without a seed, a random one is used, or that of the exploration that is resumed.
    pub config: Value,
    /// What is run.
    pub subject: Subject,
    /// What is tried, and where the results go.
    pub settings: Settings,
}

/// What an exploration tries, and where its results go.
#[derive(Debug)]
pub struct Settings {
    /// The faults that are tried at each point.
    pub faults: Vec<Fault>,
    /// What is explored.
    pub only: Only,
    /// The most points that are tried.
    pub most_points: Option<usize>,
    /// The directory for the results.
    pub directory: Option<Directory>,
    /// The format of what is printed.
    pub format: Format,
}

/// A directory for the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// A new exploration.
    New(PathBuf),
    /// One that goes on.
    Resumed(PathBuf),
}

impl Exploration {
    /// Explores, prints the results to stdout and the progress to stderr, and returns the exit code: 0 if the command
    /// stands every fault, 5 if not, 130 or 143 after a signal. Call it from the main thread, before any other starts.
    ///
    /// # Errors
    /// The command fails without a fault or is not the same each time, or there is no trial.
    pub fn execute(mut self) -> Result<u8, NoResult> {
        self.choose_seed()?;
        let trials = Trials::new(self.subject.clone(), LogLevel::Faults)?;
        let (connections, lasted) = self.baseline(&trials)?;
        let all = points(&connections, &self.settings.faults, &self.settings.only);
        if all.is_empty() {
            return Err(NoResult::Unsuitable(nothing_to_explore(&connections)));
        }
        let (began, all_points) = (Instant::now(), all.len());
        let limit = self.subject.limit(lasted);
        let planned = sampled(all, self.settings.most_points);
        let planned_points = planned.len();
        let mut session = self.session(&trials, planned_points, limit)?;
        let interrupted = session.try_all(planned)?;
        let results = Results {
            tried: session.tried,
            planned: planned_points,
            all: all_points,
            lasted: began.elapsed(),
            repeat: self.repeat_text(),
        };
        // A closed stdout is not an error.
        let _ = io::stdout().write_all(results.text(self.settings.format).as_bytes());
        Ok(match interrupted {
            Some(signal) => 128 + signal.number(),
            None if results.findings().next().is_some() => FOUND,
            None => 0,
        })
    }

    fn choose_seed(&mut self) -> io::Result<()> {
        if self.config[SEED.name].is_null() {
            self.config[SEED.name] = match &self.settings.directory {
                Some(Directory::Resumed(directory)) => Journal::seed(directory)?,
                Some(Directory::New(_)) | None => dice::fresh_seed().into(),
            };
        }
        Ok(())
    }

    /// Runs the command twice without a fault of ours. Returns its conversations, and how long it takes.
    fn baseline(&self, trials: &Trials) -> Result<(Vec<Recorded>, Duration), NoResult> {
        let (first, took) = self.record(trials)?;
        let (second, took_again) = self.record(trials)?;
        let (first, second) = (self.explored(first), self.explored(second));
        match difference(&first, &second) {
            Some(what) => Err(NoResult::Unsuitable(format!(
                "the command is not the same each time: {what}. Points would not mean the same in each run: let it do the \
                 same each time, or explore only what stays the same with --only"
            ))),
            None => Ok((second, took.max(took_again))),
        }
    }

    /// Those that are explored, in an order that does not depend on the time.
    fn explored(&self, mut connections: Vec<Recorded>) -> Vec<Recorded> {
        connections.retain(|it| self.settings.only.has(&it.route, it.number));
        connections.sort_by(|one, other| (&one.route, one.number).cmp(&(&other.route, other.number)));
        connections
    }

    fn record(&self, trials: &Trials) -> Result<(Vec<Recorded>, Duration), NoResult> {
        let path = trials.path("messages.json");
        let trial = trials.run(&self.config, self.subject.timeout, &["--messages".into(), path.clone().into()])?;
        if let Some(how) = trial.failure() {
            let output = fs::read_to_string(trials.output()).unwrap_or_default();
            return Err(NoResult::Unsuitable(format!(
                "the command fails without any fault: {how}. Its output ends with:\n{}",
                last_lines(&output)
            )));
        }
        let read = recorded::read(&fs::read_to_string(&path)?);
        Ok((read.ok_or_else(|| io::Error::other("the messages of the run can't be read"))?, trial.lasted))
    }

    fn session<'e>(&'e self, trials: &'e Trials, points: usize, limit: Duration) -> io::Result<Session<'e>> {
        let command: Vec<String> =
            self.subject.words().iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let faults: Vec<String> = self.settings.faults.iter().map(Fault::to_string).collect();
        let identity = identity(&self.config, &command, &faults);
        let (journal, earlier) = match &self.settings.directory {
            None => (None, Earlier::default()),
            Some(Directory::New(directory)) => (Some(Journal::begin(directory, &identity)?), Earlier::default()),
            Some(Directory::Resumed(directory)) => {
                let (journal, earlier) = Journal::resume(directory, &identity)?;
                (Some(journal), earlier)
            }
        };
        let (toxic, progress) = (free_name(&self.config), Progress::of(points));
        Ok(Session { exploration: self, trials, limit, toxic, journal, earlier, progress, tried: Vec::new() })
    }

    /// The command line that repeats a finding.
    fn repeat_text(&self) -> Option<String> {
        let (Directory::New(directory) | Directory::Resumed(directory)) = self.settings.directory.as_ref()?;
        let config = [OsString::from("--config"), directory.join("FILE.json").into()];
        let start = [&["chaos-proxy".into()], &config[..], &self.subject.flags, &["--".into()]].concat();
        Some(command_line([start, self.subject.words()].concat()))
    }
}

/// The runs with a fault.
struct Session<'e> {
    exploration: &'e Exploration,
    trials: &'e Trials,
    limit: Duration,
    /// The name of the toxic.
    toxic: String,
    journal: Option<Journal>,
    earlier: Earlier,
    progress: Progress,
    tried: Vec<(Point, Verdict)>,
}

impl Session<'_> {
    /// Tries each point, in order. Returns the signal that has ended this before all were tried.
    fn try_all(&mut self, points: Vec<Point>) -> Result<Option<Signal>, NoResult> {
        for (number, point) in (1..).zip(points) {
            match self.try_point(number, &point) {
                Ok(verdict) => self.count(point, verdict),
                Err(NoTrial::Interrupted(signal)) => {
                    self.progress.end();
                    return Ok(Some(signal));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.progress.end();
        Ok(None)
    }

    fn try_point(&mut self, number: usize, point: &Point) -> Result<Verdict, NoTrial> {
        let name = point.to_string();
        if let Some(verdict) = self.earlier.get(&name) {
            return Ok(verdict.clone());
        }
        let config = with_toxic(&self.exploration.config, &point.route, &point.toxic(&self.toxic));
        let trial = self.trials.run(&config, Some(self.limit), &[])?;
        let verdict = self.verdict(&trial);
        self.progress.tried();
        if let Some(journal) = &mut self.journal {
            if let Verdict::Failed(_) = verdict {
                journal.keep(number, &name, &config, &self.trials.output())?;
            }
            journal.record(&name, &verdict)?;
        }
        Ok(verdict)
    }

    /// A failure says nothing about a fault that has not acted.
    fn verdict(&self, trial: &Trial) -> Verdict {
        if !trial.has_acted(&self.toxic) {
            return Verdict::NotReached;
        }
        trial.failure().map_or(Verdict::Passed, Verdict::Failed)
    }

    fn count(&mut self, point: Point, verdict: Verdict) {
        if let Verdict::Failed(how) = &verdict {
            self.progress.found(&format!("{point}: {how}"));
        }
        self.tried.push((point, verdict));
        self.progress.print(self.tried.len());
    }
}

/// The config with one more toxic on a route.
fn with_toxic(config: &Value, route: &str, toxic: &Value) -> Value {
    let mut config = config.clone();
    let routes = config["routes"].as_array_mut().into_iter().flatten();
    for found in routes.filter(|found| found["name"] == route) {
        found["toxics"].as_array_mut().into_iter().for_each(|toxics| toxics.push(toxic.clone()));
    }
    config
}

/// A name that no toxic of the config has.
fn free_name(config: &Value) -> String {
    let routes = config["routes"].as_array().into_iter().flatten();
    let toxics: Vec<&Value> = routes.flat_map(|route| route["toxics"].as_array().into_iter().flatten()).collect();
    let is_free = |name: &String| toxics.iter().all(|toxic| toxic["name"] != *name);
    let numbered = (2_u64..).map(|number| format!("explored_{number}"));
    std::iter::once("explored".to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

/// How the conversations of two runs differ.
fn difference(first: &[Recorded], second: &[Recorded]) -> Option<String> {
    if first.len() != second.len() {
        return Some(format!("it has opened {} connections, and {} in the next run", first.len(), second.len()));
    }
    let differs = |(one, other): &(&Recorded, &Recorded)| outline(one) != outline(other);
    let (one, other) = first.iter().zip(second).find(differs)?;
    let (name, before, after) = (format!("{}#{}", one.route, one.number), one.messages.len(), other.messages.len());
    Some(format!("connection {name} has had {before} messages, and {after} in the next run"))
}

/// What must be the same in each run: the messages of each stream, but not their contents.
fn outline(connection: &Recorded) -> (&str, u64, usize, usize) {
    let count = |stream| connection.messages.iter().filter(|message| message.stream == stream).count();
    (&connection.route, connection.number, count(Direction::Upstream), count(Direction::Downstream))
}

fn nothing_to_explore(connections: &[Recorded]) -> String {
    if connections.is_empty() {
        "the command has opened no connection that is explored: it has to connect to the ports of the config, which it gets \
         as CHAOS_PROXY_NAME_PORT and {NAME.port}; --only may leave out others"
            .to_owned()
    } else {
        "--only leaves nothing to explore".to_owned()
    }
}

/// The end of what a command has printed.
fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(10)..].iter().flat_map(|line| ["  ", line, "\n"]).collect()
}
