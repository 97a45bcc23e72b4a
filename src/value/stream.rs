//! The two directions of a connection, the streams that a toxic acts on, and how a connection ends.

use std::str::FromStr;

use super::Rejected;

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

/// How a toxic ends a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseMode {
    /// With a FIN to both sides.
    #[default]
    Close,
    /// With a RST to both sides.
    Reset,
}
