//! Operations on a single socket: waiting, resetting, and queries about its peer.

pub mod acknowledgement;
pub mod discard;
pub mod interception;
pub mod liveness;
pub mod options;
pub mod presence;
pub mod reset;
pub mod sock_diag;
pub mod wait;
