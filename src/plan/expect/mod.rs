//! What a run is expected to have done: conditions on the figures of its routes. The figures come from outside; this
//! module compares them.

mod comparison;
mod metric;

use std::fmt;

use super::Scope;
pub use comparison::Comparison;
pub use metric::{Count, METRICS, Metric, Rank, Timing};

/// Conditions on the figures of one route, or on those of all routes together.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The routes. The counts of all routes are added up, and their percentiles are those of all connections.
    pub scope: Scope,
    /// At least one; each metric is there once.
    pub conditions: Vec<Condition>,
}

/// A condition on one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// The figure.
    pub metric: Metric,
    /// What the figure has to satisfy.
    pub want: Comparison,
}

/// A condition, and the figure that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The routes that the figure is of.
    pub scope: Scope,
    /// The condition.
    pub condition: Condition,
    /// The figure, or why there is none.
    pub got: Result<f64, Missing>,
}

/// Why there is no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing was measured: there is no percentile of nothing.
    NoData,
    /// No route has that name at the end of the run.
    NoRoute,
}

impl Expectation {
    /// Compares each condition with its figure.
    pub fn judge(&self, figure: impl Fn(&Scope, Metric) -> Result<f64, Missing>) -> impl Iterator<Item = Judgement> {
        self.conditions.iter().map(move |&condition| {
            let got = figure(&self.scope, condition.metric);
            Judgement { scope: self.scope.clone(), condition, got }
        })
    }
}

impl Judgement {
    /// Whether the figure meets the condition. One that is missing does not.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.got.is_ok_and(|got| self.condition.want.holds(got))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoData => "nothing was measured",
            Self::NoRoute => "the route was removed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_figure_fails_every_condition() {
        let condition = Condition { metric: Metric::Count(Count::Dropped), want: "!= 5".parse().expect("valid") };
        let expectation = Expectation { scope: Scope::All, conditions: vec![condition] };
        let passes = |got| expectation.judge(|_, _| got).all(|judgement| judgement.passes());
        assert!(passes(Ok(4.0)) && !passes(Ok(5.0)) && !passes(Err(Missing::NoData)));
    }
}
