//! The connection that toxics act on.

use std::net::{IpAddr, SocketAddr};

use super::{Conversation, Moment};

/// What toxics need to know about a connection.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its number on the route.
    pub number: u64,
    /// The client's address.
    pub client: IpAddr,
    /// Where it goes. `None` if it goes nowhere: it was to be redirected, and was not.
    pub destination: Option<SocketAddr>,
    /// When it was accepted, by the clock that all connections of the route share.
    pub opened: Moment,
    /// What its two directions share.
    pub conversation: &'a Conversation,
}
