//! What a series prints: a line after each run, and at the end the runs that have failed, each with the command line that
//! repeats it.

use std::fmt;
use std::time::Duration;

use super::Series;
use crate::harness::command::Ended;
use crate::stop::Signal;

/// The result of the runs so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The number of runs that have ended by themselves.
    pub done: u64,
    /// The time that these took together.
    pub lasted: Duration,
    /// Those that have failed.
    pub failures: Vec<FailedRun>,
    /// The signal that has ended the series.
    pub interrupted: Option<Signal>,
}

/// A run that has failed.
#[derive(Debug)]
pub(super) struct FailedRun {
    pub seed: u64,
    pub ended: Ended,
    pub lasted: Duration,
}

impl Summary {
    /// The exit code of the series: that of the first failure, or of the signal.
    pub(super) fn exit_code(&self) -> u8 {
        let by_signal = self.interrupted.map_or(0, |signal| 128 + signal.number());
        self.failures.first().map_or(by_signal, |first| first.ended.exit_code())
    }

    pub(super) fn text(&self, series: &Series) -> String {
        let (failed, done, left) = (self.failures.len(), self.done, series.seeds.len() - u128::from(self.done));
        let left = if left == 0 { String::new() } else { format!(", {left} not run") };
        let interrupted = self.interrupted.map(|signal| format!("interrupted by {}: ", signal.as_str()));
        let interrupted = interrupted.unwrap_or_default();
        let verdict = format!("chaos-proxy: {interrupted}{failed} of {done} runs failed{left}\n");
        let rows = self.failures.iter().map(|failure| failure.row(series));
        let head = (failed > 0).then(|| row("seed", "exit code", "seconds", "repeat it with"));
        [verdict].into_iter().chain(head).chain(rows).collect()
    }
}

impl FailedRun {
    fn row(&self, series: &Series) -> String {
        let (code, seconds) = (self.ended.exit_code().to_string(), seconds(self.lasted));
        row(&self.seed.to_string(), &code, &seconds, &series.command_of(self.seed).to_string())
    }
}

/// The largest seed has 20 digits.
fn row(seed: &str, code: &str, seconds: &str, command: &str) -> String {
    format!("{seed:>20}  {code:>9}  {seconds:>8}  {command}\n")
}

/// The line after a run, which is included in the summary.
pub(super) struct Progress<'a> {
    pub summary: &'a Summary,
    /// The number of all runs.
    pub runs: u128,
    pub seed: u64,
    pub ended: Ended,
    pub lasted: Duration,
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { summary, runs, seed, ended, lasted } = self;
        let verdict = if ended.exit_code() == 0 { "ok".to_owned() } else { format!("failed, {ended}") };
        let (done, failed, lasted) = (summary.done, summary.failures.len(), seconds(*lasted));
        writeln!(
            f,
            "chaos-proxy: run {done} of {runs}, seed {seed}: {verdict} after {lasted} s; {failed} failed so far, \
             about {} left",
            self.time_left()
        )
    }
}

impl Progress<'_> {
    /// As long as the runs so far took on average, rounded to a unit that fits.
    fn time_left(&self) -> String {
        let left = self.runs - u128::from(self.summary.done);
        let average = self.summary.lasted.as_millis() / u128::from(self.summary.done.max(1));
        let seconds = average.saturating_mul(left).div_ceil(1000);
        match seconds {
            0..120 => format!("{seconds} s"),
            120..7200 => format!("{} min", seconds.div_ceil(60)),
            _ => format!("{} h", seconds.div_ceil(3600)),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::argv::Argv;
    use crate::harness::repeat::{AfterFailure, Seeds};
    use crate::harness::report::Destination;

    fn failure(seed: u64, code: u8) -> FailedRun {
        FailedRun { seed, ended: Ended::Exited(code), lasted: Duration::from_millis(1250) }
    }

    #[test]
    fn a_summary_lists_the_failures_and_how_to_repeat_them() {
        let series = Series {
            name: "chaos-proxy".into(),
            flags: ["--config".into(), "a b.json".into()].to_vec(),
            reports: Some(Destination::File("r.json".into())),
            command: Argv::of(["make".into(), "test".into()].to_vec()).expect("a program"),
            seeds: Seeds::consecutive(1, 9),
            after_failure: AfterFailure::GoOn,
        };
        let failures = [failure(2, 3), failure(4, 1)].into();
        let summary = Summary { done: 5, failures, interrupted: Some(Signal::Interrupt), ..Summary::default() };
        let expected = "\
chaos-proxy: interrupted by SIGINT: 2 of 5 runs failed, 4 not run
                seed  exit code   seconds  repeat it with
                   2          3       1.2  chaos-proxy --config 'a b.json' --report r-2.json --seed 2 -- make test
                   4          1       1.2  chaos-proxy --config 'a b.json' --report r-4.json --seed 4 -- make test
";
        assert_eq!(summary.text(&series), expected);
        assert_eq!(summary.exit_code(), 3);
        assert_eq!(Summary { interrupted: Some(Signal::Terminate), ..Summary::default() }.exit_code(), 143);
    }

    #[test]
    fn progress_estimates_the_time_left() {
        let summary = |millis| Summary { done: 2, lasted: Duration::from_millis(millis), ..Summary::default() };
        let left = |millis, runs| {
            let (summary, lasted) = (summary(millis), Duration::from_secs(1));
            Progress { summary: &summary, runs, seed: 1, ended: Ended::Exited(0), lasted }.time_left()
        };
        assert_eq!(
            [left(2000, 2), left(2000, 5), left(2000, 1000), left(2000, 99_999)],
            ["0 s", "3 s", "17 min", "28 h"]
        );
        let summary = summary(3000);
        let lasted = Duration::from_millis(1600);
        let progress = Progress { summary: &summary, runs: 4, seed: 8, ended: Ended::Killed(9), lasted };
        let expected =
            "chaos-proxy: run 2 of 4, seed 8: failed, signal 9 after 1.6 s; 0 failed so far, about 3 s left\n";
        assert_eq!(progress.to_string(), expected);
    }
}
