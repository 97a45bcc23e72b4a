//! Toxics: what a route does to the bytes of its connections, and to which of them. What each does to them is the room
//! `toxic`; here is how it was asked for. The words are Toxiproxy's.

mod bandwidth;
mod effect;
mod latency;
mod selector;
mod slicer;

use std::fmt;
use std::str::FromStr;

pub use bandwidth::{Bandwidth, Rate, Sharing};
pub use effect::{
    CloseMode, Corrupt, Effect, LimitData, LimitTime, PacketLoss, ResetPeer, SlowClose, Stall, TimeoutToxic,
};
pub use latency::{Distribution, Latency};
pub use selector::{Connections, Network, Selector, Window};
pub use slicer::{Micros, Slicer};

use super::{Probability, Rejected};

/// One fault, and where it is aimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// What logs and random draws know it by; no other toxic of the route has it.
    pub name: ToxicName,
    /// The directions that it acts in.
    pub stream: Stream,
    /// The share of the connections it is aimed at that it acts on: drawn once for each, for both directions.
    pub toxicity: Probability,
    /// The connections and the time that it is meant for.
    pub selector: Selector,
    /// What it does to them.
    pub effect: Effect,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the upstream.
    Upstream,
    /// From the upstream to the client.
    Downstream,
}

impl Direction {
    /// The word for it in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// The directions of a toxic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// From the client to the upstream only.
    Upstream,
    /// From the upstream to the client only.
    #[default]
    Downstream,
    /// Each direction for itself.
    Both,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Upstream, Self::Downstream, Self::Both];

    /// The word for it in configs and default names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
            Self::Both => "both",
        }
    }

    /// Whether it has bytes that go this way.
    #[must_use]
    pub fn covers(self, direction: Direction) -> bool {
        match self {
            Self::Upstream => direction == Direction::Upstream,
            Self::Downstream => direction == Direction::Downstream,
            Self::Both => true,
        }
    }
}

impl FromStr for Stream {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let found = Self::ALL.into_iter().find(|stream| stream.as_str() == text);
        found.ok_or_else(|| {
            let hint = "use upstream (client to server), downstream (server to client) or both";
            Rejected::new(format!("`{text}` is not a stream"), hint)
        })
    }
}

/// What a toxic is called: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ToxicName(String);

impl ToxicName {
    /// What a toxic without a name is called, as in Toxiproxy: `latency_downstream`.
    #[must_use]
    pub fn default_of(kind: &str, stream: Stream) -> Self {
        Self(format!("{kind}_{}", stream.as_str()))
    }

    /// What a toxic that a profile brings along is called: `3g_latency`.
    pub(in crate::plan) fn of_profile(profile: &str, part: &str) -> Self {
        Self(format!("{profile}_{part}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ToxicName {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        crate::plan::value::name(text).map(Self)
    }
}

impl fmt::Display for ToxicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
