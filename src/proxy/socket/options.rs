//! The options of every socket that bytes pass through.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_oobinline, set_socket_timeout, set_tcp_keepidle, set_tcp_nodelay,
};

/// How long a blocking read waits. See `forward::plain_path`, which polls after that.
pub const READ_TIMEOUT: Duration = Duration::from_millis(20);

/// The idle time before the first keepalive probe. Up to nine follow, 75 s apart (tcp(7)): a network outage of some
/// minutes must not become a reset that the user did not configure.
const KEEPALIVE_TIME: Duration = Duration::from_secs(75);

/// Sets them. Accepted sockets inherit all of them from their listener. An upstream's socket needs them before it
/// connects: of two urgent bytes that arrive earlier, the kernel keeps only one (`tcp_check_urg` in
/// `net/ipv4/tcp_input.c`).
pub fn set_options(socket: &impl AsFd) -> io::Result<()> {
    // With Nagle's algorithm a write-write-read took 44 ms instead of 0.4 ms.
    set_tcp_nodelay(socket, true)?;
    // Urgent data must stay in the stream: otherwise the urgent byte is lost, and splice(2) stops at the mark.
    set_socket_oobinline(socket, true)?;
    // Detects peers that are gone without a FIN or RST: a machine that lost power, or a half-closed client that has
    // ended, whose kernel forgets the connection after `tcp_fin_timeout` (60 s) and answers a probe with a RST.
    set_socket_keepalive(socket, true)?;
    set_tcp_keepidle(socket, KEEPALIVE_TIME)?;
    Ok(set_socket_timeout(socket, Timeout::Recv, Some(READ_TIMEOUT))?)
}
