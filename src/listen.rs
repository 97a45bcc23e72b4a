//! Binds the ports of routes and HTTP servers, and has hints for failures. What is accepted there is up to the caller.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;

/// Binds `addr`. `[::]` stands for every address: on a machine without IPv6 it is `0.0.0.0`.
///
/// # Errors
/// The address is in use, does not belong to this machine, or is not permitted to this user.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).or_else(|error| TcpListener::bind(fallback(addr, &error).ok_or(error)?))
}

/// What to do about an error of [`bind`].
#[must_use]
pub fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it (`ss -ltnp` names it) or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: use 127.0.0.1 or 0.0.0.0",
        io::ErrorKind::PermissionDenied if Errno::from_io_error(error) == Some(Errno::PERM) => {
            "`transparent` needs root or CAP_NET_ADMIN: run it with one of them, or leave `transparent` out"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above",
        _ => "choose another address",
    }
}

/// The address to bind instead of one of a family that the kernel does not support.
fn fallback(addr: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_every_address = addr.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let is_unsupported = Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT);
    (is_every_address && is_unsupported).then(|| (Ipv4Addr::UNSPECIFIED, addr.port()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_that_of_ipv4_without_ipv6() {
        for (addr, error, expected) in [
            ("[::]:80", Errno::AFNOSUPPORT, Some("0.0.0.0:80")),
            ("[::]:80", Errno::ADDRINUSE, None),
            ("[::1]:80", Errno::AFNOSUPPORT, None),
            ("0.0.0.0:80", Errno::AFNOSUPPORT, None),
        ] {
            let addr: SocketAddr = addr.parse().expect(addr);
            assert_eq!(fallback(addr, &error.into()).map(|it| it.to_string()).as_deref(), expected, "{addr} {error}");
        }
    }

    #[test]
    fn binds_every_address_and_reports_other_errors() {
        let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        assert!(bind(every).expect("a free port").local_addr().expect("it is bound").ip().is_unspecified());
        // TEST-NET-1 belongs to no machine (RFC 5737).
        let error = bind(SocketAddr::from(([192, 0, 2, 1], 80))).expect_err("it is not ours");
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
