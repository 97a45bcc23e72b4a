//! Whether a client that has sent its FIN is still there. TCP does not tell: `close(2)` and `shutdown(SHUT_WR)` send the
//! same segment, and only the first means that nobody waits for an answer. But where the client runs on this machine,
//! as in most tests, the kernel's table of sockets does: a socket that no process holds any more has inode 0
//! (`get_tcp4_sock` and `get_timewait4_sock` in `net/ipv4/tcp_ipv4.c`).

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};

/// What is known of the process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It holds its socket.
    Here,
    /// It has closed its socket, or has ended.
    Gone,
    /// It runs on another machine or in another network namespace.
    Unknown,
}

/// Looks the peer of `stream` up.
pub fn of_peer(stream: &TcpStream) -> Presence {
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
        return Presence::Gone;
    };
    let found = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let rows = fs::read_to_string(table).ok()?;
        inode(&rows, there, here).map(|inode| if inode == "0" { Presence::Gone } else { Presence::Here })
    });
    found.unwrap_or(Presence::Unknown)
}

/// The inode of the socket that is bound to `local` and connected to `remote`. The columns are those of proc(5):
/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`.
fn inode(rows: &str, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
    let is_ours = |columns: &[&str]| matches!(columns, [_, l, r, ..] if written(local, l) && written(remote, r));
    rows.lines()
        .map(|row| row.split_ascii_whitespace().collect::<Vec<_>>())
        .find(|columns| is_ours(columns))?
        .get(9)
        .copied()
}

/// Whether `column` is how the kernel writes `addr`: the address as 32-bit words in the machine's own byte order, in
/// hex. A socket of the IPv6 family holds an IPv4 address as `::ffff:a.b.c.d`.
fn written(addr: SocketAddr, column: &str) -> bool {
    let IpAddr::V4(v4) = addr.ip().to_canonical() else {
        return column == in_words(addr.ip(), addr.port());
    };
    column == in_words(IpAddr::V4(v4), addr.port()) || column == in_words(v4.to_ipv6_mapped().into(), addr.port())
}

fn in_words(ip: IpAddr, port: u16) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let hex: Vec<String> = words.map(|word| format!("{word:08X}")).collect();
    format!("{}:{port:04X}", hex.concat())
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
        for (bind, connect) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")] {
            let (client, served) = pair(bind, connect);
            client.shutdown(Shutdown::Write).expect("connected");
            assert_eq!(of_peer(&served), Presence::Here, "{bind}");
            drop(client);
            // close(2) sends the FIN before it lets go of the inode, but here the FIN went out long before.
            while of_peer(&served) == Presence::Here {
                thread::yield_now();
            }
            assert_eq!(of_peer(&served), Presence::Gone, "{bind}");
        }
    }

    #[test]
    fn a_peer_that_no_table_has_is_unknown() {
        let rows = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 0100007F:0050 01 0:0 0:0 0 0 0 77 1";
        let (client, proxy) = (SocketAddr::from(([127, 0, 0, 1], 8080)), SocketAddr::from(([127, 0, 0, 1], 80)));
        if cfg!(target_endian = "little") {
            assert_eq!(inode(rows, client, proxy), Some("77"));
        }
        assert_eq!(inode(rows, proxy, client), None);
    }
}
