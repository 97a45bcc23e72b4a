//! What the connections of one route, or of several, have done: the numbers of the report, and those that expectations
//! are about.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::CloseReason;
use crate::plan::{Count, Metric, Missing, Rank, Scope, Timing};
use crate::proxy::{Delays, Histogram, RouteStatus, Totals};
use crate::value::RouteName;

/// The figures of a set of connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    accepted: u64,
    dropped: u64,
    delayed: u64,
    failed_dials: u64,
    /// The number of closed connections by reason.
    pub close_reasons: BTreeMap<CloseReason, u64>,
    /// Bytes and faults.
    pub totals: Totals,
    dials: Histogram,
    connections: Histogram,
    delays: Delays,
}

impl From<&RouteStatus> for Figures {
    /// Connections that are still open have lasted until now.
    fn from(status: &RouteStatus) -> Self {
        let mut connections = status.durations.clone();
        connections.add(&status.ages);
        Self {
            accepted: status.accepted,
            dropped: status.dropped,
            delayed: status.delayed,
            failed_dials: status.failed_dials,
            close_reasons: status.closed.clone(),
            totals: status.totals.clone(),
            dials: status.dials.clone(),
            connections,
            delays: status.delays.clone(),
        }
    }
}

impl Figures {
    /// Adds the figures of other connections.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.dropped += other.dropped;
        self.delayed += other.delayed;
        self.failed_dials += other.failed_dials;
        for (reason, times) in &other.close_reasons {
            *self.close_reasons.entry(*reason).or_default() += times;
        }
        self.totals.add(other.totals.clone());
        self.dials.add(&other.dials);
        self.connections.add(&other.connections);
        self.delays.asked.add(&other.delays.asked);
        self.delays.measured.add(&other.delays.measured);
    }

    /// A count.
    #[must_use]
    pub fn count(&self, count: Count) -> u64 {
        match count {
            Count::Connections => self.accepted,
            Count::Dropped => self.dropped,
            Count::FailedDials => self.failed_dials,
            Count::Resets => self.closed_by(CloseReason::is_reset),
            Count::Cuts => self.closed_by(|reason| reason == CloseReason::Cut),
            Count::Faults => self.dropped + self.delayed + self.totals.toxic_acts(),
            Count::BytesUp => self.totals.up.sent,
            Count::BytesDown => self.totals.down.sent,
        }
    }

    fn closed_by(&self, is_meant: impl Fn(CloseReason) -> bool) -> u64 {
        self.close_reasons.iter().filter(|(reason, _)| is_meant(**reason)).map(|(_, times)| times).sum()
    }

    /// The measurements of a time.
    #[must_use]
    pub fn times(&self, timing: Timing) -> &Histogram {
        match timing {
            Timing::Dial => &self.dials,
            Timing::FirstByte => &self.totals.first_bytes,
            Timing::Connection => &self.connections,
            Timing::DelayAsked => &self.delays.asked,
            Timing::DelayMeasured => &self.delays.measured,
        }
    }

    /// A figure as a number. `None` if nothing was measured.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, the largest number of a comparison")]
    pub fn metric(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Count(count) => Some(self.count(count) as f64),
            Metric::Time(timing, rank) => ranked(self.times(timing), rank).map(millis),
        }
    }
}

/// One figure about a set of times.
#[must_use]
pub fn ranked(times: &Histogram, rank: Rank) -> Option<Duration> {
    match rank {
        Rank::P50 => times.percentile(50),
        Rank::P90 => times.percentile(90),
        Rank::P99 => times.percentile(99),
        Rank::Max => times.max(),
    }
}

/// In milliseconds, with three decimals.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    // Rounded to whole microseconds first, so that the decimals end there.
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The figure that an expectation is about.
///
/// # Errors
/// There is none.
pub fn figure(routes: &[(RouteName, Figures)], scope: &Scope, metric: Metric) -> Result<f64, Missing> {
    let figures = match scope {
        Scope::All => sum(routes),
        Scope::Route(name) => {
            let found = routes.iter().find(|(route, _)| route == name);
            found.map(|(_, figures)| figures.clone()).ok_or(Missing::NoRoute)?
        }
    };
    figures.metric(metric).ok_or(Missing::NoData)
}

/// The figures of all routes together.
#[must_use]
pub fn sum(routes: &[(RouteName, Figures)]) -> Figures {
    let mut sum = Figures::default();
    for (_, figures) in routes {
        sum.add(figures);
    }
    sum
}
