//! The measurements, in the order of the table.

use crate::target::Target;
use crate::wire::Direction;

/// One measurement of one target.
pub struct Scenario {
    /// `--only` selects it by this, or by the first words of it.
    pub name: &'static str,
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
    Start,
    Size,
}

/// Four exchanges of one block are 1 MiB in each direction.
const MEBIBYTE: usize = 4;

pub const SCENARIOS: &[Scenario] = &[
    scenario("bulk-1-up", Kind::Bulk { streams: 1, direction: Direction::Up }),
    scenario("bulk-1-down", Kind::Bulk { streams: 1, direction: Direction::Down }),
    scenario("bulk-1-both", Kind::Bulk { streams: 1, direction: Direction::Both }),
    scenario("bulk-8-up", Kind::Bulk { streams: 8, direction: Direction::Up }),
    scenario("bulk-8-down", Kind::Bulk { streams: 8, direction: Direction::Down }),
    scenario("bulk-8-both", Kind::Bulk { streams: 8, direction: Direction::Both }),
    scenario("round-trips-1", Kind::RoundTrips { connections: 1 }),
    scenario("round-trips-8", Kind::RoundTrips { connections: 8 }),
    scenario("event-loop-8", Kind::EventLoop { connections: 8 }),
    scenario("event-loop-50", Kind::EventLoop { connections: 50 }),
    scenario("event-loop-200", Kind::EventLoop { connections: 200 }),
    scenario("connections", Kind::Connections),
    scenario("idle-quiet", Kind::Idle { exchanges: 0 }),
    scenario("idle-after-bulk", Kind::Idle { exchanges: MEBIBYTE }),
    // The part of a delay's overshoot that is no delay: connect, dial and transit.
    scenario("first-bytes", Kind::FirstBytes),
    scenario("delay-1", Kind::Delay { millis: 1 }),
    scenario("delay-10", Kind::Delay { millis: 10 }),
    scenario("delay-50", Kind::Delay { millis: 50 }),
    scenario("delay-500", Kind::Delay { millis: 500 }),
    scenario("delay-500-held", Kind::Held { millis: 500 }),
    scenario("toxics-latency", Kind::Latency { jitter_millis: 0 }),
    scenario("toxics-jitter", Kind::Latency { jitter_millis: 50 }),
    scenario("toxics-bandwidth", Kind::Bandwidth),
    scenario("logging", Kind::Logging),
    scenario("start", Kind::Start),
    scenario("size", Kind::Size),
];

const fn scenario(name: &'static str, kind: Kind) -> Scenario {
    Scenario { name, kind }
}

impl Scenario {
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
            | Kind::Start
            | Kind::Size => {
                matches!(target, Target::ChaosProxy(_))
            }
        }
    }
}
