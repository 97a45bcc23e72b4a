//! Events of the drain, and their log lines.

use log::{info, warn};

/// The progress of the drain.
#[derive(Clone, Copy, Debug)]
pub enum DrainEvent {
    /// It begins with this number of connections in flight.
    Began(usize),
    /// It still waits for this number of connections. The oldest of them are listed.
    Waiting(usize),
    /// It waits for this number of connections that are not listed.
    Unlisted(usize),
    /// It is over. This number of connections was cut.
    Ended(usize),
}

/// How to end the drain.
const CUT_HINT: &str = "a second Ctrl-C (SIGINT) or SIGTERM cuts them";

impl DrainEvent {
    pub(super) fn log(self) {
        match self {
            Self::Began(0) => info!(left = 0; "draining, no new connections"),
            Self::Began(left) => info!(left, hint = CUT_HINT; "draining, no new connections"),
            Self::Waiting(left) => info!(left, hint = CUT_HINT; "still draining"),
            Self::Unlisted(0) => {}
            Self::Unlisted(more) => info!(more; "still open"),
            Self::Ended(0) => info!("drained"),
            Self::Ended(cut) => warn!(cut; "drain cut short"),
        }
    }
}
