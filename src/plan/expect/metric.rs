//! The figures that an expectation can be about: counts, and percentiles of times. Each is declared once, as a key of
//! the config.

use crate::value::Presence::Otherwise;
use crate::value::{Key, Kind};

/// One of the four figures about a time.
macro_rules! time {
    ($time:ident, $rank:ident, $name:literal, $suffix:literal, $title:literal, $about:literal) => {
        metric(
            concat!($name, $suffix),
            concat!($title, ": ", $about, ", in ms."),
            Metric::Time(Timing::$time, Rank::$rank),
        )
    };
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
                time!($time, P50, $time_name, "P50", "Median", $time_about),
                time!($time, P90, $time_name, "P90", "90th percentile", $time_about),
                time!($time, P99, $time_name, "P99", "99th percentile", $time_about),
                time!($time, Max, $time_name, "Max", "Maximum", $time_about),
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
        Faults = "faults": "The number of connections dropped or delayed, and of acts of toxics",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        for (place, (key, metric)) in METRICS.iter().enumerate() {
            assert!(METRICS[..place].iter().all(|(other, _)| other.name != key.name), "{}", key.name);
            assert_eq!(metric.name(), key.name);
        }
    }
}
