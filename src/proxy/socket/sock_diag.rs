//! Queries the kernel for a TCP socket of this machine with `sock_diag(7)`, one socket at a time. /proc/net/tcp has the
//! same data but lists all sockets.

use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

/// Some fields of a `struct inet_diag_msg` (`include/uapi/linux/inet_diag.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// 0 if no process holds the socket any more (`inet_diag_msg_common_fill` and `inet_twsk_diag_fill` in
    /// `net/ipv4/inet_diag.c`).
    pub inode: u32,
    /// Received bytes that its process has not read.
    pub unread: u32,
    /// Written bytes that its peer has not acknowledged (`tcp_diag_get_info` in `net/ipv4/tcp_diag.c`).
    pub unacknowledged: u32,
}

/// Returns the socket that is bound to `local` and connected to `remote`.
///
/// # Errors
/// `NOENT` if this machine has no such socket. Other errors mean that the kernel can't answer now, or not at all.
#[cfg(target_os = "linux")]
pub fn lookup(local: SocketAddr, remote: SocketAddr) -> Result<Socket, Errno> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

    let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC);
    let kernel = socket_with(kind.0, kind.1, kind.2, Some(netlink::SOCK_DIAG))?;
    send(&kernel, &request(canonical(local), canonical(remote)), SendFlags::empty())?;
    let mut answer = [0; 256];
    let (_, length) = recv(&kernel, &mut answer, RecvFlags::empty())?;
    socket_in(&answer[..length]).unwrap_or(Err(Errno::PROTO))
}

#[cfg(not(target_os = "linux"))]
pub fn lookup(_: SocketAddr, _: SocketAddr) -> Result<Socket, Errno> {
    Err(Errno::NOSYS)
}

/// The kernel finds an IPv6 socket with an IPv4-mapped address, as Java uses, by its IPv4 address.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// `SOCK_DIAG_BY_FAMILY` in `include/uapi/linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;

/// `TCP_LISTEN` in `include/net/tcp_states.h`. If the connection does not exist, the kernel returns the listener that
/// would accept it (`inet_lookup` in `net/ipv4/inet_diag.c`).
const LISTEN: u8 = 10;

/// `NLMSG_ERROR` in `include/uapi/linux/netlink.h`.
const ERROR: u16 = 2;

/// A `struct nlmsghdr` and a `struct inet_diag_req_v2` (`include/uapi/linux/inet_diag.h`), 72 bytes in all. Without the
/// dump flag, the request is for exactly one socket.
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

/// Parses a response. The `struct inet_diag_msg` follows the 16 bytes of the header. `state` is its second byte;
/// `rqueue` is at offset 56, `wqueue` at 60, `inode` at 68. An error is a negative number (netlink(7)).
fn socket_in(answer: &[u8]) -> Option<Result<Socket, Errno>> {
    let word = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    match u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?) {
        BY_FAMILY if answer.get(17)? == &LISTEN => Some(Err(Errno::NOENT)),
        BY_FAMILY => Some(Ok(Socket { inode: word(84)?, unread: word(72)?, unacknowledged: word(76)? })),
        ERROR => Some(Err(Errno::from_raw_os_error(word(16)?.cast_signed().wrapping_neg()))),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_unknown_socket_is_not_found() {
        let [near, far] = [SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([192, 0, 2, 1], 1))];
        assert_eq!(lookup(far, near), Err(Errno::NOENT));
    }

    #[test]
    fn a_listener_is_not_taken_for_a_connection() {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let [here, elsewhere] = [([127, 0, 0, 1], port), ([192, 0, 2, 1], 1)].map(SocketAddr::from);
        assert_eq!(lookup(here, elsewhere), Err(Errno::NOENT));
    }

    #[test]
    fn counts_unread_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
        let (receiver, _) = listener.accept().expect("a client");
        sender.write_all(b"unread").expect("connected");
        let (here, there) = (receiver.local_addr().expect("bound"), receiver.peer_addr().expect("connected"));
        receiver.peek(&mut [0]).expect("something");
        assert_eq!(lookup(here, there).map(|socket| socket.unread), Ok(6));
    }

    #[test]
    fn counts_unacknowledged_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
        let (mut receiver, _) = listener.accept().expect("a client");
        let (here, there) = (sender.local_addr().expect("bound"), sender.peer_addr().expect("connected"));
        let unacknowledged = || lookup(here, there).expect("a socket of ours").unacknowledged;
        assert_eq!(unacknowledged(), 0);
        sender.set_nonblocking(true).expect("a socket");
        let mut sent = 0;
        while let Ok(more) = sender.write(&[0; 8192]) {
            sent += more;
        }
        assert!(unacknowledged() > 0);
        receiver.read_exact(&mut vec![0; sent]).expect("all of it");
        while unacknowledged() > 0 {
            std::thread::yield_now();
        }
    }
}
