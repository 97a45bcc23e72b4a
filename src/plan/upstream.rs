//! Where the connections of a route go, with hints for invalid addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::value::{Port, Rejected, reject_variable, text};

/// An address to connect to: an IP address and a port that is not 0. Never a host name: a lookup for each connection
/// would be a fault of its own, with its own cache and timeout. Or the address that the client has connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upstream(Where);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Where {
    Address(SocketAddr),
    Original,
}

/// The word for [`Upstream::ORIGINAL`].
const ORIGINAL: &str = "original";

impl Upstream {
    /// The address that the client has connected to, before the connection was redirected to the proxy.
    pub const ORIGINAL: Self = Self(Where::Original);

    /// The address to connect to. `None` if each connection has its own.
    #[must_use]
    pub fn addr(self) -> Option<SocketAddr> {
        match self.0 {
            Where::Address(addr) => Some(addr),
            Where::Original => None,
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Where::Address(addr) => addr.fmt(f),
            Where::Original => f.write_str(ORIGINAL),
        }
    }
}

text!(Upstream);

impl FromStr for Upstream {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        if text.is_empty() {
            return Err(Rejected::new("the upstream is empty", "use IP:PORT, such as 127.0.0.1:9090"));
        }
        match text.parse::<SocketAddr>() {
            _ if text == ORIGINAL => Ok(Self::ORIGINAL),
            Ok(addr) => Self::try_from(addr),
            Err(_) => Err(reject(text)),
        }
    }
}

impl TryFrom<SocketAddr> for Upstream {
    type Error = Rejected;

    fn try_from(addr: SocketAddr) -> Result<Self, Rejected> {
        let (ip, port) = (addr.ip(), addr.port());
        if let (IpAddr::V6(_), IpAddr::V4(ip)) = (ip, ip.to_canonical()) {
            // `::ffff:127.0.0.1` is another notation for the same address.
            return Self::try_from(SocketAddr::from((ip, port)));
        }
        if port == 0 {
            return Err(Rejected::new("port 0 can't be connected to", "use 1 to 65535"));
        }
        if ip.is_unspecified() {
            let here = if ip.is_ipv4() { "127.0.0.1" } else { "[::1]" };
            let hint = format!("to reach this machine, use {here}:{port}");
            return Err(Rejected::new(format!("{ip} is an address to listen on, not to connect to"), hint));
        }
        if ip.is_multicast() || ip == IpAddr::from([255; 4]) {
            let what = format!("{ip} is the address of a group, which TCP can't connect to");
            return Err(Rejected::new(what, "use the IP address of one machine"));
        }
        Ok(Self(Where::Address(addr)))
    }
}

/// Finds the most helpful reason to reject `text`, which is not a valid `ip:port`.
fn reject(text: &str) -> Rejected {
    if let Some(rejected) = reject_variable(text) {
        return rejected;
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.split('/').next().unwrap_or_default();
        let hint = format!("drop the scheme{}", written_as(rest));
        return Rejected::new(format!("`{text}` is a URL ({scheme}), but TCP knows no schemes"), hint);
    }
    if text.trim() != text {
        return Rejected::new(format!("`{text}` has spaces around it"), format!("write {}", text.trim()));
    }
    if let Some((address, _)) = text.split_once('/') {
        return Rejected::new(format!("`{text}` has a path"), format!("drop the path{}", written_as(address)));
    }
    if let Some(hint) = unbracketed(text) {
        return Rejected::new(format!("`{text}` lacks the brackets of an IPv6 address"), hint);
    }
    if let Some(ip) = bare_ip(text) {
        return Rejected::new(
            format!("`{text}` has no port"),
            format!("add one, such as {}", SocketAddr::new(ip, 9090)),
        );
    }
    match text.rsplit_once(':') {
        Some((host, port)) => reject_parts(text, host, port),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => reject_parts(text, "", text),
        None => Rejected::new(format!("`{text}` is not ip:port"), host_hint(text, "PORT")),
    }
}

fn reject_parts(text: &str, host: &str, port: &str) -> Rejected {
    if let Err(reason) = port.parse::<Port>() {
        return Rejected::new(format!("`{text}` has no valid port: {}", reason.what), reason.hint);
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(IpAddr::V4(ip)) = bracketed.and_then(|host| host.parse().ok()) {
        return Rejected::new(format!("`{text}` has brackets around an IPv4 address"), format!("write {ip}:{port}"));
    }
    if host.is_empty() {
        return Rejected::new(format!("`{text}` has no IP address"), format!("write 127.0.0.1:{port}"));
    }
    if host.starts_with(|first: char| first.is_ascii_digit() || first == '[') || bare_ip(host).is_some() {
        return Rejected::new(format!("`{host}` is not an IP address"), "use four numbers of 0 to 255, or [IPv6]");
    }
    Rejected::new(format!("`{host}` is a host name"), host_hint(host, port))
}

/// What to write instead of an IPv6 address whose last group may be a port. `::1:9090` is a valid address too, but a
/// last group of four digits or more was probably meant as a port; a shorter one could be either.
fn unbracketed(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let (ip, port): (Ipv6Addr, Port) = (host.parse().ok()?, port.parse().ok()?);
    Some(match (text.parse::<Ipv6Addr>(), text.rsplit(':').next()) {
        (Ok(whole), Some(group)) if group.len() < 4 => {
            format!("write [{ip}]:{port}, or [{whole}]:9090 if {port} is a part of the address")
        }
        _ => format!("write [{ip}]:{port}"),
    })
}

fn bare_ip(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok()
}

/// By default host names are not looked up: a DNS fault must not look like an injected one.
fn host_hint(host: &str, port: &str) -> String {
    if host.eq_ignore_ascii_case("localhost") {
        return format!("use 127.0.0.1:{port}");
    }
    format!(
        "upstreams are IP addresses, so that DNS is never a hidden fault: `getent hosts {host}` prints its IP, and with \
         --resolve it is looked up once"
    )
}

/// Returns `: write …` if `rest` alone is a valid address.
fn written_as(rest: &str) -> String {
    match rest.parse::<Upstream>() {
        Ok(upstream) => format!(": write {upstream}"),
        Err(reason) => format!("; {}", reason.hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(text: &str) -> String {
        text.parse::<Upstream>().expect_err(text).hint
    }

    #[test]
    fn addresses_with_a_port_are_accepted() {
        for text in ["127.0.0.1:1", "10.0.0.7:65535", "[::1]:9090", "[fe80::1%2]:80", "original"] {
            assert_eq!(text.parse::<Upstream>().map(|it| it.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn every_other_text_has_a_hint() {
        for (text, expected) in [
            ("", "use IP:PORT, such as 127.0.0.1:9090"),
            ("localhost:9090", "use 127.0.0.1:9090"),
            ("LOCALHOST:9090", "use 127.0.0.1:9090"),
            ("localhost", "use 127.0.0.1:PORT"),
            ("http://127.0.0.1:9090/a/b", "drop the scheme: write 127.0.0.1:9090"),
            ("http://localhost:80", "drop the scheme; use 127.0.0.1:80"),
            ("127.0.0.1:80/a", "drop the path: write 127.0.0.1:80"),
            (" 127.0.0.1:80 ", "write 127.0.0.1:80"),
            ("127.0.0.1", "add one, such as 127.0.0.1:9090"),
            ("::1", "add one, such as [::1]:9090"),
            ("[::1]", "add one, such as [::1]:9090"),
            ("fe80::a:b:c:d:9090", "write [fe80::a:b:c:d]:9090"),
            ("::1:80", "write [::1]:80, or [::1:80]:9090 if 80 is a part of the address"),
            ("1:2:3:4:5:6:7:8:80", "write [1:2:3:4:5:6:7:8]:80"),
            ("5432", "write 127.0.0.1:5432"),
            ("99999", "use 1 to 65535"),
            ("[127.0.0.1]:80", "write 127.0.0.1:80"),
            ("127.0.0.1:", "use 1 to 65535"),
            ("127.0.0.1:0", "use 1 to 65535"),
            ("127.0.0.1:65536", "use 1 to 65535"),
            ("127.0.0.1:http", "use 1 to 65535"),
            (":80", "write 127.0.0.1:80"),
            ("127.0.0.256:80", "use four numbers of 0 to 255, or [IPv6]"),
            ("0.0.0.0:80", "to reach this machine, use 127.0.0.1:80"),
            ("[::]:80", "to reach this machine, use [::1]:80"),
            ("224.0.0.1:80", "use the IP address of one machine"),
            ("255.255.255.255:80", "use the IP address of one machine"),
        ] {
            assert_eq!(hint(text), expected, "{text}");
        }
        assert!(hint("db.example:5432").contains("getent hosts db.example"));
        assert!(hint("$HOST:5432").contains("envsubst"));
    }
}
