//! What a latency is told: how late bytes leave, and how their delays lie.

use std::str::FromStr;
use std::time::Duration;

use crate::plan::{Millis, Probability, Rejected};

/// A delay of `latency`, give or take the jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    mean: Millis,
    jitter: Millis,
    correlation: Probability,
    distribution: Distribution,
}

impl Latency {
    /// Delays that are uniform, each for itself.
    ///
    /// # Errors
    /// The jitter is larger than the latency: some bytes would have to leave before they came.
    pub fn new(latency: Millis, jitter: Millis) -> Result<Self, Rejected> {
        if jitter > latency {
            let what = format!("a jitter of {} ms is more than the latency of {} ms", jitter.get(), latency.get());
            return Err(Rejected::new(what, format!("use 0 to {}", latency.get())));
        }
        let (correlation, distribution) = (Probability::default(), Distribution::default());
        Ok(Self { mean: latency, jitter, correlation, distribution })
    }

    /// One of which the compiler sees that it can be.
    pub(in crate::plan) const fn literal(latency: u32, jitter: u32) -> Self {
        assert!(jitter <= latency, "some bytes would have to leave before they came");
        let (mean, jitter) = (Millis::literal(latency), Millis::literal(jitter));
        Self { mean, jitter, correlation: Probability::per_mille(0), distribution: Distribution::Uniform }
    }

    /// The same with that share of segments that meet the delay of the one before.
    ///
    /// # Errors
    /// The correlation is not 0, but there is no jitter: all delays are the same anyway.
    pub fn correlated(self, correlation: Probability) -> Result<Self, Rejected> {
        if self.is_steady() && correlation != Probability::default() {
            // Debug turns to an exponent where Display writes out 300 digits.
            let what = format!("a correlation of {:?} changes nothing without a jitter", correlation.get());
            return Err(Rejected::new(what, "use 0, or a jitter of 1 ms or more"));
        }
        Ok(Self { correlation, ..self })
    }

    /// The same with delays that lie so around the latency.
    ///
    /// # Errors
    /// The distribution is not the default, but there is no jitter: all delays are the latency.
    pub fn distributed(self, distribution: Distribution) -> Result<Self, Rejected> {
        if self.is_steady() && distribution != Distribution::default() {
            let what = format!("a {} distribution changes nothing without a jitter", distribution.as_str());
            return Err(Rejected::new(what, "use uniform, or a jitter of 1 ms or more"));
        }
        Ok(Self { distribution, ..self })
    }

    /// The delay in the middle.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.mean.duration()
    }

    /// How far delays lie apart from it, at most the latency.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.jitter.duration()
    }

    /// The share of segments that meet the same delay as the one before.
    #[must_use]
    pub fn correlation(&self) -> Probability {
        self.correlation
    }

    /// How the delays lie around the latency.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    fn is_steady(&self) -> bool {
        self.jitter == Millis::default()
    }
}

/// How delays lie around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Evenly, from one jitter below the latency to one above.
    #[default]
    Uniform,
    /// In a bell with the jitter as standard deviation; what would be negative is no delay.
    Normal,
    /// Most a little below the latency, some far above: a Pareto distribution of shape 3 with the latency as its mean,
    /// whose least is a third of the jitter below.
    Pareto,
}

impl Distribution {
    const ALL: [Self; 3] = [Self::Uniform, Self::Normal, Self::Pareto];

    fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
        }
    }
}

impl FromStr for Distribution {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let found = Self::ALL.into_iter().find(|distribution| distribution.as_str() == text);
        found.ok_or_else(|| Rejected::new(format!("`{text}` is not a distribution"), "use uniform, normal or pareto"))
    }
}
