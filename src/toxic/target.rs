//! What toxics know of a connection.

use std::net::IpAddr;

use super::Moment;

/// A connection that toxics may act on.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its number on the route.
    pub number: u64,
    /// Where its client is.
    pub client: IpAddr,
    /// When it was accepted, by the route's clock, which all of its connections have in common.
    pub opened: Moment,
}
