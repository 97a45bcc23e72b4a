//! A connection reset (RST), sent when it is decided, not when the last handle is closed.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Ends the connection with a RST at once and wakes every thread that reads, writes or polls it; what was still unread
/// or unsent is gone. The descriptor stays open until the stream is dropped.
///
/// `connect(2)` to `AF_UNSPEC` does this on Linux (`tcp_disconnect` in net/ipv4/tcp.c): no FIN goes out first, and no
/// handle has to be given up for it. Where it is refused (kernels around 6.5 while a thread waits on the socket; other
/// systems), the threads are woken by a shutdown, and the RST follows its FIN when the stream is dropped.
pub fn reset(stream: &TcpStream) {
    if rustix::net::connect_unspec(stream).is_err() {
        // Either fails only for a connection that is down already.
        let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
        let _ = stream.shutdown(Shutdown::Both);
    }
}
