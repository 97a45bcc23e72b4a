//! Finds peers that are gone without a FIN or RST: a machine without power, or a client that half-closed and ended, whose
//! kernel forgets the connection after `tcp_fin_timeout` (60 s) and answers a keepalive probe with a RST.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};

/// Silence before the first probe. Up to nine follow, 75 s apart (tcp(7)): a network outage of some minutes must not become
/// a reset that the user has not asked for.
const SILENCE: Duration = Duration::from_secs(75);

/// Has the kernel ask a silent peer whether it is there. Connections inherit it from their listener.
pub fn notice_silence(socket: &impl AsFd) -> io::Result<()> {
    set_socket_keepalive(socket, true)?;
    Ok(set_tcp_keepidle(socket, SILENCE)?)
}
