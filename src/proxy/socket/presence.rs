//! Whether a client that has sent its FIN is still there. TCP can't say: `close(2)` and `shutdown(SHUT_WR)` send the same
//! segment, and only after the first does no process wait for an answer. But if the client runs on this machine, as in most
//! tests, the kernel knows its socket.

use std::net::TcpStream;

use rustix::io::Errno;

use crate::proxy::socket::sock_diag::lookup;

/// What is known of the process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It holds its socket.
    Here,
    /// It has closed its socket, or has ended.
    Gone,
    /// This machine has no such socket: the peer runs elsewhere, or an address is translated on the way, or its socket is
    /// gone and there was no room for it in TIME-WAIT (`tcp_max_tw_buckets` in tcp(7)).
    NotLocal,
    /// This system can't tell.
    Unknown,
}

/// Looks the peer of `stream` up.
pub fn of_peer(stream: &TcpStream) -> Presence {
    // A stream that was reset has no peer any more. The next poll of it reports the reset.
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
        return Presence::Unknown;
    };
    match lookup(there, here).map(|socket| socket.inode) {
        Ok(0) => Presence::Gone,
        Ok(_) => Presence::Here,
        Err(Errno::NOENT) => Presence::NotLocal,
        Err(_) => Presence::Unknown,
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
    fn a_half_closed_client_is_here_and_a_closed_one_is_gone() {
        let families = [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")];
        for (bind, connect) in families.into_iter().chain([("[::]:0", "[::ffff:127.0.0.1]")]) {
            let (client, served) = pair(bind, connect);
            client.shutdown(Shutdown::Write).expect("connected");
            assert_eq!(of_peer(&served), Presence::Here, "{bind}");
            drop(client);
            // Whether the inode goes before or after the FIN is the kernel's affair; it goes.
            while of_peer(&served) == Presence::Here {
                thread::yield_now();
            }
            assert_eq!(of_peer(&served), Presence::Gone, "{bind}");
        }
    }
}
