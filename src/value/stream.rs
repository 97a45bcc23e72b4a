//! The directions of a connection, the streams that a toxic acts on, and how a toxic ends a connection.

use super::word::{flag, words};

words! {
    /// The direction of a stream of bytes.
    #[derive(Hash)]
    pub enum Direction("is not a direction", "use upstream (client to server) or downstream (server to client)") {
        /// From the client to the upstream.
        Upstream = "upstream",
        /// From the upstream to the client.
        Downstream = "downstream",
    }
}

impl Direction {
    /// The other direction.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Upstream => Self::Downstream,
            Self::Downstream => Self::Upstream,
        }
    }
}

words! {
    /// The streams that a toxic acts on.
    #[derive(Default)]
    pub enum Stream("is not a stream", "use upstream (client to server), downstream (server to client) or both") {
        /// From the client to the upstream only.
        Upstream = "upstream",
        /// From the upstream to the client only.
        #[default]
        Downstream = "downstream",
        /// Both directions.
        Both = "both",
    }
}

impl Stream {
    /// Whether it includes `direction`.
    #[must_use]
    pub fn covers(self, direction: Direction) -> bool {
        match self {
            Self::Upstream => direction == Direction::Upstream,
            Self::Downstream => direction == Direction::Downstream,
            Self::Both => true,
        }
    }
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseMode {
    /// With a FIN to both sides.
    #[default]
    Close,
    /// With a RST to both sides.
    Reset,
}

flag!(CloseMode: Close, Reset);
