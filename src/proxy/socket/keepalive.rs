//! Detects peers that are gone without a FIN or RST: a machine that lost power, or a half-closed client that has ended.
//! The kernel of the latter forgets the connection after `tcp_fin_timeout` (60 s) and answers a keepalive probe with a
//! RST.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};

/// The idle time before the first probe. Up to nine follow, 75 s apart (tcp(7)): a network outage of some minutes must
/// not become a reset that the user did not configure.
const IDLE_TIME: Duration = Duration::from_secs(75);

/// Enables keepalive probes. Accepted sockets inherit the setting from their listener.
pub fn enable_keepalive(socket: &impl AsFd) -> io::Result<()> {
    set_socket_keepalive(socket, true)?;
    Ok(set_tcp_keepidle(socket, IDLE_TIME)?)
}
