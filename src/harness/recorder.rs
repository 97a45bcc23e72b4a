//! What a run remembers from its start to its report.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::figures::{Figures, figure};
use super::report::{CommandOutcome, ConfigDigest, Destination, Format, Output, Report, ScenarioStep};
use super::sampler::{Sampler, TimeSeries};
use super::scenario::StepDone;
use super::summary::Summary;
use crate::event::{Event, Outcome, emit};
use crate::plan::{Expectation, Judgement};
use crate::proxy::Supervisor;
use crate::value::RouteName;

/// What is known of a run at its start.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The seed of all random draws.
    pub seed: u64,
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// The config file, unless the flags are the config.
    pub config: Option<ConfigDigest>,
    /// What the run is expected to do.
    pub expectations: Vec<Expectation>,
    /// Where the report goes, if one is written.
    pub output: Option<Output>,
}

/// Records a run.
#[derive(Debug)]
pub struct Recorder {
    facts: RunFacts,
    started_at: Timestamp,
    started: Instant,
    /// Only if the report has the figures over time.
    sampler: Option<Sampler>,
}

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Every expectation holds, and the report is written if there is one.
    Met,
    /// An expectation has failed.
    Unmet,
    /// The report could not be written.
    ReportLost,
}

impl Recorder {
    /// Begins to record the run of `supervisor`.
    ///
    /// # Errors
    /// No thread is available.
    pub fn start(facts: RunFacts, supervisor: &Arc<Supervisor>) -> io::Result<Self> {
        let (started_at, started) = (Timestamp::now(), Instant::now());
        let has_series = facts.output.as_ref().is_some_and(|it| matches!(it.format, Format::Html | Format::Json));
        let sampler = has_series.then(|| Sampler::start(Arc::clone(supervisor), started)).transpose()?;
        Ok(Self { facts, started_at, started, sampler })
    }

    /// Judges the expectations, writes the report, and returns the result. Call it after the drain.
    pub fn conclude(
        self,
        supervisor: &Supervisor,
        command: Option<CommandOutcome>,
        steps: &[StepDone],
    ) -> (Conclusion, Summary) {
        let duration = self.started.elapsed();
        let scenario = steps.iter().map(|step| ScenarioStep::of(step, self.started)).collect();
        let series = self.sampler.map_or_else(TimeSeries::default, Sampler::finish);
        let RunFacts { seed, arguments, config, expectations, output } = self.facts;
        let statuses = supervisor.routes();
        let routes: Vec<_> = statuses.iter().map(|it| (it.route.name.clone(), Figures::from(it))).collect();
        let judgements = judge(&expectations, &routes);
        let conclusion = if judgements.iter().all(Judgement::passes) { Conclusion::Met } else { Conclusion::Unmet };
        let summary = Summary::new(seed, arguments, &routes);
        let report = Report {
            seed,
            config,
            started_at: self.started_at,
            duration,
            command,
            routes,
            scenario,
            judgements,
            series,
        };
        let is_written = output.is_none_or(|output| write(&output, &report));
        (if is_written { conclusion } else { Conclusion::ReportLost }, summary)
    }
}

/// Judges and logs the expectations.
fn judge(expectations: &[Expectation], routes: &[(RouteName, Figures)]) -> Vec<Judgement> {
    let judgements = expectations.iter().flat_map(|it| it.judge(|scope, metric| figure(routes, scope, metric)));
    judgements.inspect(|judgement| emit(&Event::Outcome(Outcome::Judged(judgement)))).collect()
}

/// Returns whether the report was written.
fn write(output: &Output, report: &Report) -> bool {
    let written = output.write(report);
    let path = match &output.destination {
        Destination::Stdout => "-".into(),
        Destination::File(path) => path.to_string_lossy(),
    };
    match &written {
        Ok(()) => emit(&Event::Outcome(Outcome::ReportWritten(&path))),
        Err(error) => emit(&Event::Outcome(Outcome::ReportLost(&path, error))),
    }
    written.is_ok()
}
