//! The report as JSON. `configs/report.schema.json` describes it.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::series::Columns;
use super::{CommandOutcome, ConfigDigest, Report, ScenarioStep};
use crate::harness::figures::{Figures, millis, ranked};
use crate::plan::{Count, Judgement, Rank, Timing};
use crate::proxy::{Faults, Histogram};
use crate::toxic::{Amount, NEVER};
use crate::value::ToxicName;

/// JSON with indentation and a line end.
pub(super) fn text(report: &Report) -> String {
    // Only maps with keys that are no text can't be serialised.
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", env!("CARGO_PKG_VERSION"))?;
        map.serialize_entry("seed", &self.seed)?;
        map.serialize_entry("config", &self.config)?;
        map.serialize_entry("startedAt", &format!("{:.3}", self.started_at))?;
        map.serialize_entry("durationMs", &millis(self.duration))?;
        map.serialize_entry("command", &self.command)?;
        map.serialize_entry("routes", &RoutesByName(self))?;
        map.serialize_entry("scenario", &self.scenario)?;
        map.serialize_entry("expect", &self.judgements.iter().map(Judged).collect::<Vec<_>>())?;
        map.serialize_entry("verdict", self.verdict().as_str())?;
        map.serialize_entry("series", &Columns(&self.series))?;
        map.end()
    }
}

impl Serialize for ConfigDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("file", &self.file), ("sha256", &self.sha256)])
    }
}

impl Serialize for CommandOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("argv", &self.argv)?;
        map.serialize_entry("exitCode", &self.exit_code)?;
        map.end()
    }
}

impl Serialize for ScenarioStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("ranAtMs", &millis(self.ran_at))?;
        map.serialize_entry("inRunMs", &millis(self.in_run))?;
        map.serialize_entry("step", &self.step)?;
        map.end()
    }
}

/// The routes by name, in the order of the config.
struct RoutesByName<'r>(&'r Report);

impl Serialize for RoutesByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.routes.iter().map(|(name, figures)| (name.as_str(), figures)))
    }
}

/// The keys of the counts. `accepted` is what `connections` expects.
pub(super) const COUNTS: [(&str, Count); 8] = [
    ("accepted", Count::Connections),
    ("dropped", Count::Dropped),
    ("failedDials", Count::FailedDials),
    ("resets", Count::Resets),
    ("cuts", Count::Cuts),
    ("faults", Count::Faults),
    ("bytesUp", Count::BytesUp),
    ("bytesDown", Count::BytesDown),
];

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, count) in COUNTS {
            map.serialize_entry(key, &self.count(count))?;
        }
        map.serialize_entry("closeReasons", &CloseReasons(self))?;
        map.serialize_entry("toxics", &Toxics(self))?;
        for timing in Timing::ALL {
            map.serialize_entry(timing.as_str(), &Times(self.times(*timing)))?;
        }
        map.end()
    }
}

/// The number of closed connections by reason.
struct CloseReasons<'f>(&'f Figures);

impl Serialize for CloseReasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.close_reasons.iter().map(|(reason, times)| (reason.as_str(), times)))
    }
}

/// What each toxic has done, by its name. One that was replaced by one of another type has the type in its key too: the keys
/// of an object differ.
struct Toxics<'f>(&'f Figures);

impl Serialize for Toxics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let faults = &self.0.totals.faults;
        let has_namesake = |name: &ToxicName| faults.keys().filter(|(other, _)| other == name).count() > 1;
        let key = |name: &ToxicName, kind: &str| {
            if has_namesake(name) { format!("{name} ({kind})") } else { name.to_string() }
        };
        serializer.collect_map(faults.iter().map(|((name, kind), faults)| (key(name, kind), Toxic { kind, faults })))
    }
}

struct Toxic<'f> {
    kind: &'static str,
    faults: &'f Faults,
}

impl Serialize for Toxic<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        map.serialize_entry("connections", &self.faults.connections)?;
        map.serialize_entry("times", &self.faults.times)?;
        match self.faults.amount {
            Some(Amount::Bytes(bytes)) => map.serialize_entry("bytes", &bytes)?,
            Some(Amount::Delay(NEVER)) => map.serialize_entry("heldForever", &true)?,
            Some(Amount::Delay(delay)) => map.serialize_entry("longestDelayMs", &millis(delay))?,
            None => {}
        }
        map.end()
    }
}

/// The figures about a time, in milliseconds.
struct Times<'f>(&'f Histogram);

impl Serialize for Times<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &self.0.count())?;
        for (key, rank) in [("p50", Rank::P50), ("p90", Rank::P90), ("p99", Rank::P99), ("max", Rank::Max)] {
            map.serialize_entry(key, &ranked(self.0, rank).map(millis))?;
        }
        map.end()
    }
}

/// An expectation and what was measured.
struct Judged<'j>(&'j Judgement);

impl Serialize for Judged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Judgement { scope, condition, got } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("route", &scope.to_string())?;
        map.serialize_entry("metric", condition.metric.name())?;
        map.serialize_entry("want", &condition.want.to_string())?;
        map.serialize_entry("got", &got.ok().map(whole_if_exact))?;
        if let Err(missing) = got {
            map.serialize_entry("why", &missing.to_string())?;
        }
        map.serialize_entry("pass", &self.0.passes())?;
        map.end()
    }
}

/// A count is written without a decimal point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only whole numbers that f64 has exactly")]
fn whole_if_exact(figure: f64) -> serde_json::Number {
    let whole = (figure.fract() == 0.0 && (0.0..9e15).contains(&figure)).then_some(figure as u64);
    whole.map(Into::into).or_else(|| serde_json::Number::from_f64(figure)).unwrap_or_else(|| 0.into())
}

/// A time in milliseconds, if it is one.
pub(super) fn read_millis(millis: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(millis.as_f64()? / 1e3).ok()
}
