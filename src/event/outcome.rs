//! The results of a run at its end, and their log lines.

use std::io;
use std::time::Duration;

use log::{error, info};

use super::micros;
use crate::plan::Judgement;
use crate::value::RouteName;

/// A result of a run.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// An expectation was compared with what was measured.
    Judged(&'a Judgement),
    /// The report was written to this path.
    ReportWritten(&'a str),
    /// The report can't be written to this path.
    ReportLost(&'a str, &'a io::Error),
    /// What a route has done.
    Totals(RouteTotals<'a>),
    /// The command line that repeats the run, with the seed.
    Repeat(&'a str),
}

/// What a route has done in a run, in short.
#[derive(Clone, Copy, Debug)]
pub struct RouteTotals<'a> {
    /// Its name.
    pub route: &'a RouteName,
    /// The number of connections accepted.
    pub accepted: u64,
    /// The number of those that the drop rate selected.
    pub dropped: u64,
    /// The number of drops and of acts of toxics.
    pub faults: u64,
    /// The number of bytes sent to the upstream.
    pub bytes_up: u64,
    /// The number of bytes sent to the clients.
    pub bytes_down: u64,
    /// The median and the 99th percentile of the times that the upstream took to accept. `None` if it never did.
    pub dials: Option<(Duration, Duration)>,
}

pub(super) fn log(outcome: Outcome<'_>) {
    match outcome {
        Outcome::Judged(judgement) => log_judgement(judgement),
        Outcome::ReportWritten(path) => info!(path; "report written"),
        Outcome::ReportLost(path, error) => error!(path, error:%; "report not written"),
        Outcome::Totals(totals) => log_totals(totals),
        Outcome::Repeat(command) => info!(command; "to repeat this run"),
    }
}

fn log_judgement(judgement: &Judgement) {
    let Judgement { scope, condition, got } = judgement;
    let got = got.map_or_else(|missing| missing.to_string(), |got| got.to_string());
    let (metric, want, got) = (condition.metric.name(), condition.want, got.as_str());
    if judgement.passes() {
        info!(route:% = scope, metric, want:%, got; "expectation met");
    } else {
        error!(route:% = scope, metric, want:%, got; "expectation failed");
    }
}

fn log_totals(totals: RouteTotals<'_>) {
    let RouteTotals { route, accepted, dropped, faults, bytes_up, bytes_down, dials } = totals;
    macro_rules! totals {
        ($($key:ident = $value:expr),*) => {
            info!(
                route = route.as_str(), accepted, dropped, faults, bytes_up, bytes_down $(, $key = $value)*; "route totals"
            )
        };
    }
    match dials {
        Some((p50, p99)) => totals!(connect_p50_us = micros(p50), connect_p99_us = micros(p99)),
        None => totals!(),
    }
}
