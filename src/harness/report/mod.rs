//! The report of a run, and the file that it is written to. Each format is a module of its own.

mod chart;
mod findings;
mod html;
mod json;
mod junit;
mod markdown;
mod output;
mod page;
mod series;
mod tables;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use self::page::Page;
use super::figures::Figures;
use super::sampler::TimeSeries;
use super::scenario::StepDone;
use crate::plan::Judgement;
use crate::value::{RouteName, words};
pub use output::{Destination, Output};

/// What a run was, and what it has done.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed of all random draws.
    pub seed: u64,
    /// The config file, unless the flags were the config.
    pub config: Option<ConfigDigest>,
    /// When the run has started.
    pub started_at: Timestamp,
    /// From the start to the end of the drain.
    pub duration: Duration,
    /// The wrapped command, if there was one.
    pub command: Option<CommandOutcome>,
    /// The routes at the end of the run.
    pub routes: Vec<(RouteName, Figures)>,
    /// The steps of the scenario that were done.
    pub scenario: Vec<ScenarioStep>,
    /// The expectations, judged.
    pub judgements: Vec<Judgement>,
    /// The figures over time. Empty unless the format has them.
    pub series: TimeSeries,
}

/// A config file, identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigDigest {
    /// Its path, or `stdin`.
    pub file: String,
    /// The SHA-256 of its bytes at the start of the run, as hexadecimal digits.
    pub sha256: String,
}

impl ConfigDigest {
    /// The digest of a file with this text.
    #[must_use]
    pub fn of(file: &str, text: &str) -> Self {
        let digits: Vec<String> = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: file.to_owned(), sha256: digits.concat() }
    }
}

/// A command that the run was wrapped around, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutcome {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Its exit code; 128 plus the number of a signal.
    pub exit_code: i32,
}

/// A step of a scenario that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioStep {
    /// When it was due, from the start of the scenario.
    pub at: String,
    /// When it was done, from the start of the scenario.
    pub ran_at: Duration,
    /// When it was done, from the start of the run. A reload can begin another scenario later.
    pub in_run: Duration,
    /// What it did.
    pub step: String,
}

impl ScenarioStep {
    /// A step of a run that has started at that time.
    #[must_use]
    pub fn of(done: &StepDone, run_started: Instant) -> Self {
        let StepDone { at, ran_at, made, route, step, error } = done;
        let failed = error.as_ref().map(|error| format!(", failed: {error}")).unwrap_or_default();
        let in_run = made.saturating_duration_since(run_started);
        Self { at: at_of(*at), ran_at: *ran_at, in_run, step: format!("{route}: {step}{failed}") }
    }
}

/// In the form of a scenario.
fn at_of(at: Duration) -> String {
    let millis = at.as_millis();
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

words! {
    /// Whether a run did what was expected.
    pub enum Verdict("is not a verdict", "use pass or fail") {
        /// Every expectation holds, and the command has succeeded.
        Pass = "pass",
        /// An expectation or the command has failed.
        Fail = "fail",
    }
}

words! {
    /// The format of a report.
    pub enum Format("is not a format of reports", "use json, junit, markdown or html") {
        /// JSON, as `configs/report.schema.json` describes it.
        Json = "json",
        /// `JUnit` XML: a test case for each expectation.
        Junit = "junit",
        /// Markdown, for the summaries of CI jobs.
        Markdown = "markdown",
        /// One HTML file with plots.
        Html = "html",
    }
}

words! {
    /// A format in which what was written as JSON can be shown.
    #[derive(Default)]
    pub enum ShownFormat("is not a format to show a report in", "use html or markdown") {
        /// One HTML file with plots.
        #[default]
        Html = "html",
        /// Markdown.
        Markdown = "markdown",
    }
}

/// Shows the JSON of a report, or that of `explore --json`. `None` if the text is neither.
#[must_use]
pub fn shown(json: &str, format: ShownFormat) -> Option<String> {
    let page = Page::of_json(&serde_json::from_str(json).ok()?)?;
    Some(match format {
        ShownFormat::Html => html::text(&page),
        ShownFormat::Markdown => markdown::text(&page),
    })
}

impl Report {
    /// Whether the run did what was expected.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let command_succeeded = self.command.as_ref().is_none_or(|command| command.exit_code == 0);
        if command_succeeded && self.judgements.iter().all(Judgement::passes) { Verdict::Pass } else { Verdict::Fail }
    }

    /// The report as text.
    #[must_use]
    pub fn to_text(&self, format: Format) -> String {
        let page = || Page::of_run(&serde_json::to_value(self).unwrap_or_default());
        match format {
            Format::Json => json::text(self),
            Format::Junit => junit::text(self),
            Format::Markdown => markdown::text(&page()),
            Format::Html => html::text(&page()),
        }
    }
}
