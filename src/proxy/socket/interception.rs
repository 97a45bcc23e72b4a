//! Connections that were redirected to this machine or process: where they went before, and sockets with the addresses of
//! others. nftables or iptables redirect them; see `--print-redirect`.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{IpBindAddressNoPort, IpTransparent};
use rustix::net::sockopt::{ip_original_dst, ipv6_original_dst};

use crate::plan::Transparency;

/// Where `client` has connected to before it was redirected to the listener on `listen`. `None` if it was not.
pub fn original_destination(client: &TcpStream, listen: SocketAddr, transparency: Transparency) -> Option<SocketAddr> {
    let local = canonical(client.local_addr().ok()?);
    match transparency {
        // The connection tracking of the kernel knows the destination, also that of a connection that was not redirected.
        // It may have the scope of an address, which `local` has not.
        Transparency::Visible => translated(client, local.ip()).filter(|original| canonical(*original) != local),
        // TPROXY leaves the destination as it is. A direct connection goes to an address of this machine and the port of
        // the listener.
        Transparency::Transparent => (local.port() != listen.port() || !is_local(local.ip())).then_some(local),
    }
}

fn translated(client: &TcpStream, local: IpAddr) -> Option<SocketAddr> {
    match local {
        IpAddr::V4(_) => ip_original_dst(client).ok().map(SocketAddr::from),
        IpAddr::V6(_) => ipv6_original_dst(client).ok().map(SocketAddr::from),
    }
}

/// Lets a socket have an address that this machine does not have. The option of IPv4 holds for IPv6 too: both set the same
/// flag (`IP_TRANSPARENT` in `net/ipv4/ip_sockglue.c`, `IPV6_TRANSPARENT` in `net/ipv6/ipv6_sockglue.c`).
///
/// # Errors
/// EPERM without `CAP_NET_ADMIN` or `CAP_NET_RAW`.
pub fn set_transparent(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(&socket.as_fd(), IpTransparent, &true).map_err(io::Error::from)
}

/// Gives a socket an address that this machine need not have. The port is chosen by the connect, so that it can lead to
/// several destinations.
///
/// # Errors
/// Those of [`set_transparent`], or there is no such address in the family of the socket.
pub fn bind_transparently(socket: &impl AsFd, ip: IpAddr) -> io::Result<()> {
    set_transparent(socket)?;
    setsockopt(&socket.as_fd(), IpBindAddressNoPort, &true)?;
    Ok(rustix::net::bind(socket, &SocketAddr::new(ip, 0))?)
}

/// Whether this machine has the address: only then can it be bound without that option.
fn is_local(ip: IpAddr) -> bool {
    TcpListener::bind((ip, 0)).is_ok()
}

/// The address alone. A listener on `::` sees IPv4 addresses as IPv4-mapped ones (RFC 4291, section 2.5.5.2).
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
