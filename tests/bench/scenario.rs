//! The measurements, in the order of the table.

use crate::target::Target;
use crate::wire::Direction;

/// One measurement of one target.
pub struct Scenario {
    /// `--only` selects it by this, or by the first words of it.
    pub name: &'static str,
    /// What the chart calls it: its first figure, in plain words.
    pub title: &'static str,
    pub kind: Kind,
}

pub enum Kind {
    Bulk { streams: usize, direction: Direction },
    RoundTrips { connections: usize },
    EventLoop { connections: usize },
    Connections,
    Idle { exchanges: usize },
    FirstBytes,
    Delay { millis: u64 },
    Held { millis: u64 },
    Latency { jitter_millis: u64 },
    Bandwidth,
    Logging,
    Admin,
    Start,
    Size,
}

/// Four exchanges of one block are 1 MiB in each direction.
const MEBIBYTE: usize = 4;

pub const SCENARIOS: &[Scenario] = &[
    scenario("bulk-1-up", "throughput, 1 stream up", Kind::Bulk { streams: 1, direction: Direction::Up }),
    scenario("bulk-1-down", "throughput, 1 stream down", Kind::Bulk { streams: 1, direction: Direction::Down }),
    scenario("bulk-1-both", "throughput, 1 stream each way", Kind::Bulk { streams: 1, direction: Direction::Both }),
    scenario("bulk-8-up", "throughput, 8 streams up", Kind::Bulk { streams: 8, direction: Direction::Up }),
    scenario("bulk-8-down", "throughput, 8 streams down", Kind::Bulk { streams: 8, direction: Direction::Down }),
    scenario("bulk-8-both", "throughput, 8 streams each way", Kind::Bulk { streams: 8, direction: Direction::Both }),
    scenario("round-trips-1", "round trips/s, 1 connection", Kind::RoundTrips { connections: 1 }),
    scenario("round-trips-8", "round trips/s, 8 connections", Kind::RoundTrips { connections: 8 }),
    scenario("event-loop-8", "requests/s, 8 busy connections", Kind::EventLoop { connections: 8 }),
    scenario("event-loop-50", "requests/s, 50 busy connections", Kind::EventLoop { connections: 50 }),
    scenario("event-loop-200", "requests/s, 200 busy connections", Kind::EventLoop { connections: 200 }),
    scenario("connections", "connections/s", Kind::Connections),
    scenario("idle-quiet", "memory, idle connection", Kind::Idle { exchanges: 0 }),
    scenario("idle-after-bulk", "memory, idle after bulk", Kind::Idle { exchanges: MEBIBYTE }),
    // The part of a delay's overshoot that is no delay: connect, dial and transit.
    scenario("first-bytes", "time to first bytes", Kind::FirstBytes),
    scenario("delay-1", "lateness of 1 ms", Kind::Delay { millis: 1 }),
    scenario("delay-10", "lateness of 10 ms", Kind::Delay { millis: 10 }),
    scenario("delay-50", "lateness of 50 ms", Kind::Delay { millis: 50 }),
    scenario("delay-500", "lateness of 500 ms", Kind::Delay { millis: 500 }),
    scenario("delay-500-held", "lateness of 1,000 delays", Kind::Held { millis: 500 }),
    scenario("toxics-latency", "throughput with latency", Kind::Latency { jitter_millis: 0 }),
    scenario("toxics-jitter", "throughput with jitter", Kind::Latency { jitter_millis: 50 }),
    scenario("toxics-bandwidth", "accuracy of bandwidth", Kind::Bandwidth),
    scenario("logging", "connections/s with the log", Kind::Logging),
    scenario("admin", "cost of the admin server", Kind::Admin),
    scenario("start", "time to start", Kind::Start),
    scenario("size", "size of the binary", Kind::Size),
];

const fn scenario(name: &'static str, title: &'static str, kind: Kind) -> Scenario {
    Scenario { name, title, kind }
}

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Whether `name` is its name or the first words of it.
    pub fn is_selected_by(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// Whether it measures a target.
    pub fn applies_to(&self, target: &Target) -> bool {
        match self.kind {
            Kind::Bulk { .. }
            | Kind::RoundTrips { .. }
            | Kind::EventLoop { .. }
            | Kind::Connections
            | Kind::FirstBytes => true,
            Kind::Idle { .. } => !matches!(target, Target::Direct),
            Kind::Delay { .. }
            | Kind::Held { .. }
            | Kind::Latency { .. }
            | Kind::Bandwidth
            | Kind::Logging
            | Kind::Admin
            | Kind::Start
            | Kind::Size => {
                matches!(target, Target::ChaosProxy(_))
            }
        }
    }
}
