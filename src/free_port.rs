//! Finds ports that nothing listens on.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::listen;
use crate::value::Port;

/// The number of attempts to find a port that no other process takes before it is bound.
pub const ATTEMPTS: usize = 16;

/// A port of this address that nothing listens on at the moment.
///
/// # Errors
/// This machine does not have the address, or no port is left.
pub fn free_port(ip: IpAddr) -> io::Result<Port> {
    let port = listen::bind(SocketAddr::new(ip, 0))?.local_addr()?.port();
    Port::try_from(i128::from(port)).map_err(io::Error::other)
}
