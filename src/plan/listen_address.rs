//! An address and a port to listen on in one text, as Toxiproxy's `listen` and the admin server have it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::Bind;
use crate::value::{Port, Rejected, reject_variable, text};

/// An address to listen on, written as `IP:PORT`, `localhost:PORT`, or `:PORT` for every address, as in Go. The port is
/// not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    ip: IpAddr,
    port: Port,
}

impl ListenAddress {
    /// The port of the admin server if none is given, which is Toxiproxy's.
    pub const ADMIN_PORT: u16 = 8474;

    /// The IP address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The port.
    #[must_use]
    pub fn port(self) -> Port {
        self.port
    }

    /// The same as a socket address.
    #[must_use]
    pub fn addr(self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.get())
    }
}

impl FromStr for ListenAddress {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        if let Some(rejected) = reject_variable(text) {
            return Err(rejected);
        }
        let Some((host, port)) = text.rsplit_once(':') else { return Err(without_port(text)) };
        let ip = listen_ip(text, host)?;
        let port = port.parse().map_err(|reason: Rejected| {
            Rejected::new(format!("`{text}` has no valid port: {}", reason.what), reason.hint)
        })?;
        Ok(Self { ip, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr().fmt(f)
    }
}

text!(ListenAddress);

fn listen_ip(text: &str, host: &str) -> Result<IpAddr, Rejected> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match (host, bracketed) {
        ("", _) => Ok(Ipv6Addr::UNSPECIFIED.into()),
        (_, Some(ip)) if ip.parse::<Ipv6Addr>().is_ok() => ip.parse().map(Bind::ip),
        (host, None) if !host.contains(':') => Bind::of_host(host).map(Bind::ip),
        _ => Err(Rejected::new(format!("`{text}` is not IP:PORT"), EXAMPLE)),
    }
}

fn without_port(text: &str) -> Rejected {
    let hint = if text.parse::<Port>().is_ok() { format!("write 127.0.0.1:{text}") } else { EXAMPLE.to_owned() };
    Rejected::new(format!("`{text}` is not IP:PORT"), hint)
}

const EXAMPLE: &str = "write IP:PORT or [IPv6]:PORT, such as 127.0.0.1:8474";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses_localhost_and_every_address() {
        for (text, expected) in [
            ("127.0.0.1:8474", "127.0.0.1:8474"),
            ("[::1]:1", "[::1]:1"),
            ("0.0.0.0:65535", "0.0.0.0:65535"),
            ("localhost:8474", "127.0.0.1:8474"),
            (":8474", "[::]:8474"),
        ] {
            let address = text.parse::<ListenAddress>().expect(text);
            assert_eq!(address.to_string(), expected);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn every_other_text_has_a_hint() {
        for (text, hint) in [
            ("", EXAMPLE),
            ("127.0.0.1", EXAMPLE),
            ("8474", "write 127.0.0.1:8474"),
            ("::1:8474", EXAMPLE),
            ("[127.0.0.1]:8474", EXAMPLE),
            ("127.0.0.1:0", "use 1 to 65535"),
            ("127.0.0.1:", "use 1 to 65535"),
            ("127.0.0.1:http", "use 1 to 65535"),
            ("web:80", "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address"),
        ] {
            assert_eq!(text.parse::<ListenAddress>().expect_err(text).hint, hint, "{text}");
        }
    }
}
