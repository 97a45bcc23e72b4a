//! What a run is expected to have done: conditions on the figures of its routes. The figures come from outside; this
//! module compares them.

use std::fmt;
use std::str::FromStr;

use super::Scope;
use crate::value::Presence::Otherwise;
use crate::value::{Key, Kind, Rejected, Scalar};

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
    /// What it has to be.
    pub want: Comparison,
}

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    operator: Operator,
    number: f64,
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

/// Declares the metrics: the counts, and the times, each of which has four figures.
macro_rules! metrics {
    (
        counts { $($count:ident = $count_name:literal: $count_about:literal,)+ }
        times { $($time:ident = $time_name:literal: $time_about:literal,)+ }
    ) => {
        /// A count of the report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count {
            $(#[doc = $count_about] $count,)+
        }

        /// A time of the report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Timing {
            $(#[doc = $time_about] $time,)+
        }

        impl Timing {
            /// All times, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$time),+];

            /// The key of the time in the report.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$time => $time_name),+
                }
            }
        }

        /// The keys of all metrics.
        pub const METRICS: &[(Key, Metric)] = &[
            $(metric($count_name, concat!($count_about, "."), Metric::Count(Count::$count)),)+
            $(
                metric(concat!($time_name, "P50"), concat!("Median: ", $time_about, ", in ms."), Metric::Time(Timing::$time, Rank::P50)),
                metric(concat!($time_name, "P90"), concat!("90th percentile: ", $time_about, ", in ms."), Metric::Time(Timing::$time, Rank::P90)),
                metric(concat!($time_name, "P99"), concat!("99th percentile: ", $time_about, ", in ms."), Metric::Time(Timing::$time, Rank::P99)),
                metric(concat!($time_name, "Max"), concat!("Maximum: ", $time_about, ", in ms."), Metric::Time(Timing::$time, Rank::Max)),
            )+
        ];
    };
}

metrics! {
    counts {
        Connections = "connections": "The number of connections accepted",
        Dropped = "dropped": "The number of those that `dropRate` selected",
        FailedDials = "failedDials": "The number of dials that failed",
        Resets = "resets": "The number of connections that a peer, a toxic or a request has reset",
        Cuts = "cuts": "The number of connections that were cut at the end of the run",
        Faults = "faults": "The number of drops and of acts of toxics",
        BytesUp = "bytesUp": "The number of bytes sent to the upstream",
        BytesDown = "bytesDown": "The number of bytes sent to the clients",
    }
    times {
        Dial = "dialMs": "the time that the upstream took to accept",
        FirstByte = "firstByteMs": "the time from the accept to the first byte sent to the client",
        Connection = "connectionMs": "the time from the accept to the close",
        DelayAsked = "delayAskedMs": "the delay that toxics have asked for",
        DelayMeasured = "delayMeasuredMs": "the same delay, as measured",
    }
}

const fn metric(name: &'static str, about: &'static str, metric: Metric) -> (Key, Metric) {
    (Key::new(name, about, Kind::Nested("a comparison"), Otherwise("any")), metric)
}

/// A figure of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A count.
    Count(Count),
    /// One of the figures about a time.
    Time(Timing, Rank),
}

/// A figure about a set of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The maximum.
    Max,
}

impl Metric {
    /// The key of the metric in a config.
    #[must_use]
    pub fn name(self) -> &'static str {
        METRICS.iter().find(|(_, metric)| *metric == self).map_or("", |(key, _)| key.name)
    }
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AtLeast,
    Above,
    AtMost,
    Below,
    Equal,
    Unequal,
}

/// Longer operators come before those that they begin with.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    (">", Operator::Above),
    ("<", Operator::Below),
];

/// What others write for an operator.
const MISTAKEN: [(&str, &str); 8] =
    [("=>", ">="), ("=<", "<="), ("≥", ">="), ("≤", "<="), ("<>", "!="), ("≠", "!="), ("===", "=="), ("=", "==")];

/// The largest number such that f64 has it and all whole numbers below: 2^53.
const MAX_NUMBER: f64 = 9_007_199_254_740_992.0;

impl Comparison {
    /// Parses a number, which has to be equal, or an operator and a number.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(scalar: &Scalar) -> Result<Self, Rejected> {
        match scalar {
            #[expect(clippy::cast_precision_loss, reason = "numbers above 2^53 are rejected")]
            Scalar::Whole(number) => Self::new(Operator::Equal, *number as f64, scalar),
            Scalar::Real(number) => Self::new(Operator::Equal, *number, scalar),
            Scalar::Text(text) => text.parse(),
            Scalar::Flag(_) => Err(Rejected::new(format!("{scalar} is not a comparison"), EXAMPLE)),
        }
    }

    fn new(operator: Operator, number: f64, written: impl fmt::Display) -> Result<Self, Rejected> {
        if (0.0..=MAX_NUMBER).contains(&number) {
            Ok(Self { operator, number })
        } else {
            Err(Rejected::new(format!("{written} is out of range"), format!("use a number, 0 to {MAX_NUMBER}")))
        }
    }

    /// Writes the comparison as a scalar that `read` accepts.
    #[must_use]
    pub fn write(&self) -> Scalar {
        match self.operator {
            Operator::Equal => Scalar::Real(self.number),
            _ => Scalar::Text(self.to_string()),
        }
    }

    /// Whether `figure` is what is wanted.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "equal means equal; counts are exact")]
    pub fn holds(&self, figure: f64) -> bool {
        match self.operator {
            Operator::AtLeast => figure >= self.number,
            Operator::Above => figure > self.number,
            Operator::AtMost => figure <= self.number,
            Operator::Below => figure < self.number,
            Operator::Equal => figure == self.number,
            Operator::Unequal => figure != self.number,
        }
    }
}

const EXAMPLE: &str = "write an operator and a number, such as \">= 100\", or a number alone";

impl FromStr for Comparison {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        match parts(text.trim()) {
            Some((operator, number)) => Self::new(operator, number, format_args!("`{text}`")),
            None => Err(Rejected::new(format!("`{text}` is not a comparison"), hint(text.trim()))),
        }
    }
}

/// The operator and the number of a comparison.
fn parts(text: &str) -> Option<(Operator, f64)> {
    let found = OPERATORS.iter().find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?)));
    let (operator, number) = found.unwrap_or((Operator::Equal, text));
    Some((operator, number.trim().parse().ok()?))
}

fn hint(text: &str) -> String {
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (operator, number) = (text[..split].trim(), &text[split..]);
    let operator = MISTAKEN.iter().find(|(wrong, _)| *wrong == operator).map_or(operator, |(_, right)| right);
    let number = number.trim_end_matches(|c: char| !c.is_ascii_digit());
    let fixed = format!("{operator} {number}");
    match parts(fixed.trim()) {
        Some(_) => format!("write \"{}\"; times are in ms", fixed.trim()),
        None => EXAMPLE.to_owned(),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = OPERATORS.iter().find(|(_, operator)| *operator == self.operator).map_or("", |(word, _)| word);
        write!(f, "{word} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_each_operator() {
        for (text, holds) in [
            (">= 2", [false, true, true]),
            ("> 2", [false, false, true]),
            ("<=2", [true, true, false]),
            ("<  2", [true, false, false]),
            ("== 2", [false, true, false]),
            ("2", [false, true, false]),
            ("!= 2.0", [true, false, true]),
        ] {
            let comparison: Comparison = text.parse().expect("valid");
            assert_eq!([1.0, 2.0, 2.5].map(|figure| comparison.holds(figure)), holds, "{text}");
            assert_eq!(Comparison::read(&comparison.write()), Ok(comparison), "{text}");
        }
        assert_eq!(Comparison::read(&Scalar::Whole(2)), "== 2".parse());
    }

    #[test]
    fn a_bad_comparison_says_what_to_write() {
        for (text, hint) in [
            ("=> 5", "write \">= 5\"; times are in ms"),
            ("=5", "write \"== 5\"; times are in ms"),
            ("< 500ms", "write \"< 500\"; times are in ms"),
            ("≥ 5", "write \">= 5\"; times are in ms"),
            ("many", EXAMPLE),
            ("", EXAMPLE),
            (">", EXAMPLE),
            ("> -1", "use a number, 0 to 9007199254740992"),
            ("> NaN", "use a number, 0 to 9007199254740992"),
            ("1e300", "use a number, 0 to 9007199254740992"),
        ] {
            assert_eq!(text.parse::<Comparison>().expect_err(text).hint, hint, "{text}");
        }
    }

    #[test]
    fn a_missing_figure_fails_every_condition() {
        let condition = Condition { metric: Metric::Count(Count::Dropped), want: "!= 5".parse().expect("valid") };
        let expectation = Expectation { scope: Scope::All, conditions: vec![condition] };
        let passes = |got| expectation.judge(|_, _| got).all(|judgement| judgement.passes());
        assert!(passes(Ok(4.0)) && !passes(Ok(5.0)) && !passes(Err(Missing::NoData)));
    }

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        for (place, (key, metric)) in METRICS.iter().enumerate() {
            assert!(METRICS[..place].iter().all(|(other, _)| other.name != key.name), "{}", key.name);
            assert_eq!(metric.name(), key.name);
        }
    }
}
