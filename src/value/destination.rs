//! Destinations of connections: networks and ports.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::selector::digits;
use super::word::text;
use super::{Network, Rejected};

/// The addresses in a network, with any port or those of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// `None` for every address.
    network: Option<Network>,
    /// The first and the last port.
    ports: (u16, u16),
}

const EVERY_PORT: (u16, u16) = (1, u16::MAX);

impl Destination {
    /// Whether `address` is one of these destinations.
    #[must_use]
    pub fn contains(&self, address: SocketAddr) -> bool {
        let (first, last) = self.ports;
        (first..=last).contains(&address.port()) && self.network.is_none_or(|network| network.contains(address.ip()))
    }

    /// The network, if it is not that of every address.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// The first and the last port, if it is not every port.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        (self.ports != EVERY_PORT).then_some(self.ports)
    }
}

/// The notation that is parsed.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = match self.ports() {
            None => String::new(),
            Some((first, last)) if first == last => format!(":{first}"),
            Some((first, last)) => format!(":{first}-{last}"),
        };
        match self.network.map(|network| network.to_string()) {
            None if ports.is_empty() => f.write_str(":1-65535"),
            None => f.write_str(&ports),
            Some(network) if ports.is_empty() => f.write_str(&network),
            Some(network) if network.contains(':') => write!(f, "[{network}]{ports}"),
            Some(network) => write!(f, "{network}{ports}"),
        }
    }
}

/// A network as for clients, and ports after a colon: `10.0.0.0/8:5432`, `[fd00::/8]:5432-5439`, `:443`.
impl FromStr for Destination {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        if let Ok(network) = text.parse() {
            return Ok(Self { network: Some(network), ports: EVERY_PORT });
        }
        let parse = || {
            let (host, ports) = text.rsplit_once(':')?;
            let ports = port_range(ports)?;
            let network = match host.strip_prefix('[') {
                Some(rest) => Some(rest.strip_suffix(']')?.parse().ok()?),
                None if host.is_empty() => None,
                // `::1:80` could be an address too.
                None if host.contains(':') => return None,
                None => Some(host.parse().ok()?),
            };
            Some(Self { network, ports })
        };
        parse().ok_or_else(|| {
            let hint = "use an IP address or a network, with or without ports: 10.0.0.0/8, 10.0.0.7:5432, [fd00::/8]:5432-5439 \
                        or :443";
            Rejected::new(format!("`{text}` is no destination"), hint)
        })
    }
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| digits(text)?.parse().ok().filter(|port| *port > 0);
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    (first <= last).then_some((first, last))
}

text!(Destination);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_network_and_ports() {
        for (text, inside, outside) in [
            ("10.0.0.0/8:5432", "10.1.2.3:5432", "10.1.2.3:5433"),
            ("10.0.0.7", "10.0.0.7:1", "10.0.0.8:1"),
            (":443", "[2001:db8::1]:443", "10.0.0.1:80"),
            (":5432-5439", "10.0.0.1:5439", "10.0.0.1:5440"),
            ("[fd00::/8]:80", "[fd01::1]:80", "[fe80::1]:80"),
            ("fd00::/8", "[fd01::1]:81", "10.0.0.1:81"),
            ("10.0.0.0/8", "[::ffff:10.0.0.1]:9", "11.0.0.1:9"),
        ] {
            let destination: Destination = text.parse().expect(text);
            let contains = |address: &str| destination.contains(address.parse().expect(address));
            assert!(contains(inside) && !contains(outside), "{text}");
            assert_eq!(destination.to_string().parse(), Ok(destination), "{text}");
        }
        assert_eq!(":1-65535".parse::<Destination>().map(|it| it.to_string()).as_deref(), Ok(":1-65535"));
    }

    #[test]
    fn other_texts_have_a_hint() {
        for text in
            ["", ":", ":0", ":9-8", "db:80", "10.0.0.0/33:80", "fd00::1:65536", "[10.0.0.1:80", ":+80", "a.b.c.d"]
        {
            assert!(text.parse::<Destination>().expect_err(text).hint.contains("10.0.0.7:5432"), "{text}");
        }
    }
}
