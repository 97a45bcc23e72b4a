//! Whether the process of a half-closed client still holds its socket. TCP does not reveal it: `close(2)` and
//! `shutdown(SHUT_WR)` both send a FIN, but only after `shutdown` does the client wait for a reply. If the client runs
//! on this machine, as in most tests, the kernel has a record of its socket.

use std::net::TcpStream;

use rustix::io::Errno;

use crate::proxy::socket::sock_diag::lookup;

/// The state of the peer's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// A process holds the socket.
    Open,
    /// The process has closed the socket or has ended.
    Closed,
    /// This machine has no such socket: the peer runs elsewhere, an address is translated on the way, or the closed
    /// socket was not kept in TIME-WAIT (`tcp_max_tw_buckets` in tcp(7)).
    NotLocal,
    /// The system can't answer.
    Unknown,
}

/// Looks up the peer's socket.
pub fn of_peer(stream: &TcpStream) -> PeerState {
    // A reset stream has no peer address. The next poll reports the reset.
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
        return PeerState::Unknown;
    };
    match lookup(there, here).map(|socket| socket.inode) {
        Ok(0) => PeerState::Closed,
        Ok(_) => PeerState::Open,
        Err(Errno::NOENT) => PeerState::NotLocal,
        Err(_) => PeerState::Unknown,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use super::*;

    fn pair(bind: &str, connect: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(bind).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let client = TcpStream::connect(format!("{connect}:{port}")).expect("a listener");
        (client, listener.accept().expect("a client").0)
    }

    #[test]
    fn a_half_closed_socket_is_open_and_a_closed_one_is_not() {
        let families = [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")];
        for (bind, connect) in families.into_iter().chain([("[::]:0", "[::ffff:127.0.0.1]")]) {
            let (client, served) = pair(bind, connect);
            client.shutdown(Shutdown::Write).expect("connected");
            assert_eq!(of_peer(&served), PeerState::Open, "{bind}");
            drop(client);
            // The kernel may release the inode before or after it sends the FIN.
            while of_peer(&served) == PeerState::Open {
                thread::yield_now();
            }
            assert_eq!(of_peer(&served), PeerState::Closed, "{bind}");
        }
    }
}
