//! Measures one scenario on one target; returns its figures.

mod chaos_proxy;
mod compared;
mod toxics;

use crate::Outcome;
use crate::options::Effort;
use crate::scenario::{Kind, Scenario};
use crate::target::Target;

/// One measured value.
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

/// Measures one round.
pub fn measure(scenario: &Scenario, target: &Target, effort: &Effort) -> Outcome<Vec<Figure>> {
    match (&scenario.kind, target) {
        (Kind::Bulk { streams, direction }, _) => compared::bulk(target, *streams, *direction, effort),
        (Kind::RoundTrips { connections }, _) => compared::round_trips(target, *connections, effort),
        (Kind::EventLoop { connections }, _) => compared::event_loop(target, *connections, effort),
        (Kind::Connections, _) => compared::connections(target, effort),
        (Kind::Idle { exchanges }, _) => compared::idle(target, *exchanges, effort),
        (Kind::FirstBytes, _) => compared::first_bytes(target, effort),
        (Kind::Delay { millis }, Target::ChaosProxy(binary)) => chaos_proxy::delay(binary, *millis, effort),
        (Kind::Held { millis }, Target::ChaosProxy(binary)) => chaos_proxy::held(binary, *millis),
        (Kind::Latency { jitter_millis }, Target::ChaosProxy(binary)) => {
            toxics::latency(binary, *jitter_millis, effort)
        }
        (Kind::Bandwidth, Target::ChaosProxy(binary)) => toxics::bandwidth(binary, effort),
        (Kind::Logging, Target::ChaosProxy(binary)) => chaos_proxy::logging(binary, effort),
        (Kind::Admin, Target::ChaosProxy(binary)) => chaos_proxy::admin(binary, effort),
        (Kind::Start, Target::ChaosProxy(binary)) => chaos_proxy::start(binary),
        (Kind::Size, Target::ChaosProxy(binary)) => chaos_proxy::size(binary),
        (_, Target::Direct | Target::Peer { .. }) => Err("is measured on chaos-proxy alone".into()),
    }
}
