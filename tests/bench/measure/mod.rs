//! One scenario on one target: what is put up for it, and which figures it gives.

mod alone;
mod beside;
mod toxics;

use crate::Outcome;
use crate::options::Effort;
use crate::scenario::{Kind, Scenario};
use crate::target::Target;

/// A number with its meaning.
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub value: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

impl Figure {
    fn higher(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self { name, unit, better: Better::Higher, value }
    }

    fn lower(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self { name, unit, better: Better::Lower, value }
    }
}

/// Measures once.
pub fn measure(scenario: &Scenario, target: &Target, effort: &Effort) -> Outcome<Vec<Figure>> {
    match (&scenario.kind, target) {
        (Kind::Bulk { streams, flow }, _) => beside::bulk(target, *streams, *flow, effort),
        (Kind::RoundTrips { connections }, _) => beside::round_trips(target, *connections, effort),
        (Kind::EventLoop { connections }, _) => beside::event_loop(target, *connections, effort),
        (Kind::Connections, _) => beside::connections(target, effort),
        (Kind::Idle { exchanges }, _) => beside::idle(target, *exchanges, effort),
        (Kind::FirstBytes, _) => beside::first_bytes(target, effort),
        (Kind::Delay { millis }, Target::ChaosProxy(binary)) => alone::delay(binary, *millis, effort),
        (Kind::Held { millis }, Target::ChaosProxy(binary)) => alone::held(binary, *millis),
        (Kind::Latency { jitter_millis }, Target::ChaosProxy(binary)) => {
            toxics::latency(binary, *jitter_millis, effort)
        }
        (Kind::Bandwidth, Target::ChaosProxy(binary)) => toxics::bandwidth(binary, effort),
        (Kind::Logging, Target::ChaosProxy(binary)) => alone::logging(binary, effort),
        (Kind::Start, Target::ChaosProxy(binary)) => alone::start(binary),
        (Kind::Size, Target::ChaosProxy(binary)) => alone::size(binary),
        (_, Target::Direct | Target::Peer { .. }) => Err("is measured on chaos-proxy alone".into()),
    }
}
