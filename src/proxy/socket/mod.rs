//! What the kernel offers for one socket: waiting on it, resetting it, and what is known of its peer.

pub mod acknowledgement;
pub mod discard;
pub mod keepalive;
pub mod liveness;
pub mod presence;
pub mod reset;
pub mod sock_diag;
pub mod wait;
