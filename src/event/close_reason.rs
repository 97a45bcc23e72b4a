//! Why connections close.

/// Why a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Both sides closed cleanly, the client first.
    ClientClosed,
    /// Both sides closed cleanly, the upstream first.
    UpstreamClosed,
    /// The client reset the connection.
    ClientReset,
    /// The upstream reset the connection.
    UpstreamReset,
    /// The client left before any bytes were forwarded, or while bytes were held for it.
    ClientLeft,
    /// The upstream could not be reached.
    Unreachable,
    /// It was to be redirected, and was not, or not by others.
    NotRedirected,
    /// The route's drop rate selected it.
    Dropped,
    /// The machine had no thread or descriptor for it.
    Starved,
    /// The drain's deadline passed, or a second signal arrived.
    Cut,
    /// A toxic closed it.
    ToxicClosed,
    /// A toxic reset it.
    ToxicReset,
    /// Its route was disabled, or was removed or moved by a request that ends its connections.
    RouteClosed,
    /// The client has left, and a toxic held what it had sent for too long.
    HeldTooLong,
    /// It was closed on request.
    Killed,
    /// It was reset on request.
    KilledByReset,
}

impl CloseReason {
    /// The text in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client closed",
            Self::UpstreamClosed => "upstream closed",
            Self::ClientReset => "client reset",
            Self::UpstreamReset => "upstream reset",
            Self::ClientLeft => "client left",
            Self::Unreachable => "upstream unreachable",
            Self::NotRedirected => "not redirected",
            Self::Dropped => "dropped",
            Self::Starved => "out of resources",
            Self::Cut => "cut",
            Self::ToxicClosed => "closed by a toxic",
            Self::ToxicReset => "reset by a toxic",
            Self::RouteClosed => "route closed",
            Self::HeldTooLong => "held too long",
            Self::Killed => "closed on request",
            Self::KilledByReset => "reset on request",
        }
    }

    /// Whether a peer, a toxic or a request has reset the connection. What this proxy resets for other reasons, such as
    /// an upstream that can't be reached, is not counted among them.
    #[must_use]
    pub fn is_reset(self) -> bool {
        matches!(self, Self::ClientReset | Self::UpstreamReset | Self::ToxicReset | Self::KilledByReset)
    }

    /// Whether the connection is ended at once, but with a FIN.
    #[must_use]
    pub fn is_shutdown(self) -> bool {
        matches!(self, Self::RouteClosed | Self::Killed)
    }
}
