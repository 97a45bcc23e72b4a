//! The figures over time in the JSON of a report: how they are written and read.

use std::time::Duration;

use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::json::read_millis;
use crate::harness::figures::millis;
use crate::harness::sampler::{Sample, TimeSeries};

/// The samples by what was counted: each list is on one line, which is shorter than a line for each number.
pub(super) struct Columns<'s>(pub(super) &'s TimeSeries);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let samples = self.0.samples();
        let mut map = serializer.serialize_map(Some(COLUMNS.len() + 1))?;
        map.serialize_entry(TIMES, &line(samples.iter().map(|sample| millis(sample.at)))?)?;
        for (key, value) in COLUMNS {
            map.serialize_entry(key, &line(samples.iter().map(value))?)?;
        }
        map.end()
    }
}

fn line<T: Serialize, E: Error>(values: impl Iterator<Item = T>) -> Result<Box<RawValue>, E> {
    to_raw_value(&values.collect::<Vec<_>>()).map_err(E::custom)
}

/// The key of the times of the samples.
const TIMES: &str = "atMs";

/// What was counted up to a sample.
type Count = fn(&Sample) -> u64;

/// The keys of the counts of the samples.
const COLUMNS: [(&str, Count); 7] = [
    ("bytesUp", |it| it.bytes_up),
    ("bytesDown", |it| it.bytes_down),
    ("open", |it| it.open),
    ("faults", |it| it.faults),
    ("delays", |it| it.delays),
    ("delayAskedUs", |it| micros(it.delay_asked)),
    ("delayMeasuredUs", |it| micros(it.delay_measured)),
];

/// The samples of a report. Empty if it has no series, as those of earlier versions.
pub(super) fn read_samples(report: &Value) -> Vec<Sample> {
    let series = &report["series"];
    let times = series[TIMES].as_array().into_iter().flatten();
    let number = |key: &str, place: usize| series[key][place].as_u64().unwrap_or_default();
    let sample = |(place, at): (usize, &Value)| Sample {
        at: read_millis(at).unwrap_or_default(),
        bytes_up: number("bytesUp", place),
        bytes_down: number("bytesDown", place),
        open: number("open", place),
        faults: number("faults", place),
        delays: number("delays", place),
        delay_asked: Duration::from_micros(number("delayAskedUs", place)),
        delay_measured: Duration::from_micros(number("delayMeasuredUs", place)),
    };
    times.enumerate().map(sample).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
