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
    let inode = inode_of("/proc/net/tcp", there, here).or_else(|| inode_of("/proc/net/tcp6", there, here));
    match inode.as_deref() {
        Some("0") => Presence::Gone,
        Some(_) => Presence::Here,
        None => Presence::Unknown,
    }
}

fn inode_of(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<String> {
    inode(&fs::read_to_string(table).ok()?, local, remote).map(str::to_owned)
}

/// The inode of the socket that is bound to `local` and connected to `remote`. The columns are those of proc(5):
/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`. A socket of the IPv6 family, which Java uses
/// for everything, holds an IPv4 address as `::ffff:a.b.c.d`.
fn inode(rows: &str, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
    let spellings: [fn(IpAddr) -> IpAddr; 2] = [|ip| ip.to_canonical(), mapped];
    spellings.into_iter().find_map(|spell| {
        let pair =
            format!(" {} {} ", in_words(spell(local.ip()), local.port()), in_words(spell(remote.ip()), remote.port()));
        let (_, rest) = rows.split_once(&pair)?;
        // Six columns stand between the addresses and the inode.
        rest.lines().next()?.split_ascii_whitespace().nth(6)
    })
}

fn mapped(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        ip @ IpAddr::V6(_) => ip,
    }
}

/// How the kernel writes an address: as 32-bit words in the machine's own byte order, in hex.
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
