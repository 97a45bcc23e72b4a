//! Resets a connection at once, and not only when its last handle is closed.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Sends a RST at once and wakes every thread that reads, writes or polls the stream. Unread and unsent bytes are lost.
/// The descriptor stays open until the stream is dropped.
///
/// On Linux, `connect(2)` with `AF_UNSPEC` does this (`tcp_disconnect` in `net/ipv4/tcp.c`): it sends no FIN before the
/// RST, even if other handles are open. It is refused by kernels around 6.5 while a thread waits on the socket, and by
/// other systems. Then a shutdown wakes the threads, and the RST follows its FIN when the stream is dropped.
pub fn reset(stream: &TcpStream) {
    if rustix::net::connect_unspec(stream).is_err() {
        // Both fail only if the connection is already closed.
        let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
        let _ = stream.shutdown(Shutdown::Both);
    }
}
