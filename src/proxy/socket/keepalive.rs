//! Peers that vanish without a word: a machine that lost its power, or a client that half-closed and ended, which a
//! keepalive probe draws a RST from once its kernel has forgotten the connection (after `tcp_fin_timeout`, 60 s).

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};

/// Silence before the first probe. Up to nine follow, 75 s apart (tcp(7)): a network that is away for some minutes is
/// nothing that we may turn into a reset.
const SILENCE: Duration = Duration::from_secs(75);

/// Has the kernel ask a silent peer whether it is there. Connections inherit it from their listener.
pub fn notice_silence(socket: &impl AsFd) -> io::Result<()> {
    set_socket_keepalive(socket, true)?;
    Ok(set_tcp_keepidle(socket, SILENCE)?)
}
