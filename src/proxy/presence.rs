//! Whether a client that has sent its FIN is still there. TCP does not tell: `close(2)` and `shutdown(SHUT_WR)` send the
//! same segment, and only the first means that nobody waits for an answer. But where the client runs on this machine,
//! as in most tests, the kernel knows its socket, and a socket that no process holds any more has inode 0
//! (`inet_diag_msg_common_fill` and `inet_twsk_diag_fill` in `net/ipv4/inet_diag.c`). It is asked for this one socket
//! (`sock_diag(7)`): /proc/net/tcp has the same to say, but lists all the sockets there are.

use std::net::{IpAddr, SocketAddr, TcpStream};

/// What is known of the process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It holds its socket.
    Here,
    /// It has closed its socket, or has ended.
    Gone,
    /// It runs on another machine or in another network namespace, or this system can't tell.
    Unknown,
}

/// Looks the peer of `stream` up.
pub fn of_peer(stream: &TcpStream) -> Presence {
    // A stream that was reset has no peer any more; that it was is for whoever polls it to tell.
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
        return Presence::Unknown;
    };
    match inode(canonical(there), canonical(here)) {
        Some(0) => Presence::Gone,
        Some(_) => Presence::Here,
        None => Presence::Unknown,
    }
}

/// A socket of the IPv6 family, which Java uses for everything, is found by the IPv4 address that it holds.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The inode of the socket that is bound to `local` and connected to `remote`.
#[cfg(target_os = "linux")]
fn inode(local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

    let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC);
    let kernel = socket_with(kind.0, kind.1, kind.2, Some(netlink::SOCK_DIAG)).ok()?;
    send(&kernel, &request(local, remote), SendFlags::empty()).ok()?;
    let mut answer = [0; 256];
    let (_, length) = recv(&kernel, &mut answer, RecvFlags::empty()).ok()?;
    inode_in(&answer[..length])
}

#[cfg(not(target_os = "linux"))]
fn inode(_: SocketAddr, _: SocketAddr) -> Option<u32> {
    None
}

/// `SOCK_DIAG_BY_FAMILY` in `include/uapi/linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;

/// A `struct nlmsghdr` and a `struct inet_diag_req_v2` (`include/uapi/linux/inet_diag.h`), 72 bytes in all. A request
/// that is no dump asks for exactly one socket.
fn request(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    const NLM_F_REQUEST: u16 = 1;
    const ANY_COOKIE: [u8; 8] = [0xff; 8];
    let (inet, inet6, tcp) = (2, 10, 6);
    let family = if local.is_ipv4() { inet } else { inet6 };
    [
        &72_u32.to_ne_bytes()[..],
        &BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &[0; 8],
        &[family, tcp, 0, 0],
        &u32::MAX.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &remote.port().to_be_bytes(),
        &in_16_bytes(local.ip()),
        &in_16_bytes(remote.ip()),
        &[0; 4],
        &ANY_COOKIE,
    ]
    .concat()
}

fn in_16_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The last field of the `struct inet_diag_msg`, 68 bytes into it, behind the 16 of the header. Any other answer is an
/// error, such as that there is no such socket.
fn inode_in(answer: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let inode = u32::from_ne_bytes(answer.get(84..88)?.try_into().ok()?);
    (kind == BY_FAMILY).then_some(inode)
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

    #[test]
    fn a_peer_that_the_kernel_does_not_know_is_unknown() {
        let [near, far] = [SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([192, 0, 2, 1], 1))];
        assert_eq!(inode(far, near), None);
    }
}
