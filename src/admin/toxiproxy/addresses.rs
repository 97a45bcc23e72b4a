//! The addresses of a proxy as Toxiproxy's clients write them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::error::ToxiproxyError;
use crate::config::{HostNames, Lookup, Resolved, parse_upstream};
use crate::free_port::{ATTEMPTS, free_port};
use crate::plan::{Bind, Route, Upstream};
use crate::value::{Port, Rejected};

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    ip: IpAddr,
    /// Absent if the system chooses it.
    port: Option<Port>,
}

impl Listen {
    /// Parses `IP:PORT`, `localhost:PORT`, or `:PORT` for every address. Port 0, or no text, leaves the port to the
    /// system.
    pub fn parse(text: &str) -> Result<Self, ToxiproxyError> {
        let listen = || {
            let (host, port) = if text.is_empty() { ("", "") } else { parts(text)? };
            Ok(Self { ip: listen_ip(host)?, port: listen_port(port)? })
        };
        listen().map_err(|rejected| ToxiproxyError::of_field("listen", &rejected))
    }

    /// The address of a route.
    pub fn of(route: &Route) -> Self {
        Self { ip: route.bind, port: Some(route.port) }
    }

    /// Whether a route has this address. A port that the system chooses is always another one. All IPv4 addresses count
    /// as all addresses, because clients can't write them.
    pub fn is_of(self, route: &Route) -> bool {
        let is_same_ip = self.ip == route.bind || (self.ip.is_unspecified() && route.bind.is_unspecified());
        is_same_ip && self.port == Some(route.port)
    }

    /// Calls `open` with the address, or with free ports until one of them is still free when it is opened.
    pub fn open<T>(self, mut open: impl FnMut(IpAddr, Port) -> Result<T, ToxiproxyError>) -> Result<T, ToxiproxyError> {
        if let Some(port) = self.port {
            return open(self.ip, port);
        }
        for _ in 1..ATTEMPTS {
            match open(self.ip, self.free_port()?) {
                Err(failure) if failure.is_in_use() => {}
                result => return result,
            }
        }
        open(self.ip, self.free_port()?)
    }

    /// A port that nothing listens on.
    fn free_port(self) -> Result<Port, ToxiproxyError> {
        let any = SocketAddr::new(self.ip, 0);
        free_port(self.ip).map_err(|error| ToxiproxyError::Bind(any, error))
    }
}

/// Host and port.
fn parts(text: &str) -> Result<(&str, &str), Rejected> {
    let is_host = |host: &str| !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    text.rsplit_once(':').filter(|(host, _)| is_host(host)).ok_or_else(|| Rejected {
        what: format!("`{text}` is not IP:PORT"),
        hint: "write IP:PORT, [IPv6]:PORT, or :PORT for every address".to_owned(),
    })
}

fn listen_ip(host: &str) -> Result<IpAddr, Rejected> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match host {
        "" => Ok(EVERY_ADDRESS),
        _ => Bind::of_host(host).map(|bind| if bind.ip().is_unspecified() { EVERY_ADDRESS } else { bind.ip() }),
    }
}

fn listen_port(port: &str) -> Result<Option<Port>, Rejected> {
    let number = if port.is_empty() { Ok(0) } else { port.parse::<u16>() };
    match number {
        Ok(0) => Ok(None),
        Ok(number) => Port::try_from(i128::from(number)).map(Some),
        Err(_) => Err(Rejected {
            what: format!("`{port}` is not a port"),
            hint: "use 1 to 65535, or 0 for any free port".to_owned(),
        }),
    }
}

/// The address of a listener on all addresses, IPv4 and IPv6, as in Go.
const EVERY_ADDRESS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Parses the address of an upstream: `IP:PORT`, or `localhost:PORT` or `:PORT` for this machine, as in Go, or an
/// allowed host name, which is looked up now.
pub fn upstream(text: &str, host_names: HostNames) -> Result<Upstream, ToxiproxyError> {
    let local = text.rsplit_once(':').filter(|(host, _)| host.is_empty() || host.eq_ignore_ascii_case("localhost"));
    let parsed = match local {
        Some((_, port)) => parse_upstream(&format!("127.0.0.1:{port}"), host_names),
        None => parse_upstream(text, host_names),
    };
    let Resolved { value, lookups } = parsed.map_err(|rejected| ToxiproxyError::of_field("upstream", &rejected))?;
    lookups.iter().for_each(Lookup::log);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn reads_the_forms_of_listen() {
        let every = EVERY_ADDRESS;
        let [one, six]: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        for (text, ip, port) in [
            ("127.0.0.1:3310", one, 3310),
            ("localhost:3310", one, 3310),
            ("LocalHost:0", one, 0),
            ("[::1]:80", six, 80),
            (":80", every, 80),
            ("0.0.0.0:80", every, 80),
            ("[::]:80", every, 80),
            ("127.0.0.1:", one, 0),
            (":0", every, 0),
            ("", every, 0),
        ] {
            let listen = Listen::parse(text).expect(text);
            assert_eq!((listen.ip, listen.port.map_or(0, Port::get)), (ip, port), "{text}");
        }
    }

    #[test]
    fn other_texts_have_a_hint() {
        for (text, hint) in [
            ("3310", "write IP:PORT, [IPv6]:PORT, or :PORT for every address"),
            ("::1:3310", "write IP:PORT, [IPv6]:PORT, or :PORT for every address"),
            ("127.0.0.1:65536", "use 1 to 65535, or 0 for any free port"),
            ("127.0.0.1:http", "use 1 to 65535, or 0 for any free port"),
            ("db:3310", "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address"),
        ] {
            let text = Listen::parse(text).expect_err(text).text();
            assert!(text.starts_with("bad request body: listen: `") && text.ends_with(hint), "{text}");
        }
    }

    #[test]
    fn tries_other_free_ports_while_they_are_taken() {
        let listen = Listen::parse("localhost:0").expect("an address");
        let mut tried = Vec::new();
        let opened = listen.open(|ip, port| {
            tried.push(port);
            if tried.len() < 3 { Err(ToxiproxyError::in_use(SocketAddr::new(ip, port.get()))) } else { Ok(port) }
        });
        assert_eq!(opened.ok(), tried.get(2).copied());
        let mut count = 0;
        let failed = listen.open::<()>(|ip, port| {
            count += 1;
            Err(ToxiproxyError::in_use(SocketAddr::new(ip, port.get())))
        });
        assert!(failed.is_err_and(|failure| failure.is_in_use()));
        assert_eq!(count, ATTEMPTS);
    }

    #[test]
    fn reads_upstreams() {
        for (text, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("localhost:80", "127.0.0.1:80"),
            (":80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(upstream(text, HostNames::Rejected).expect(text).to_string(), expected);
        }
        for (text, part) in [
            ("http://127.0.0.1:80", "drop the scheme: write 127.0.0.1:80"),
            ("localhost:0", "use 1 to 65535"),
            ("db:80", "with --resolve it is looked up once"),
            ("localhost", "`localhost` is not ip:port"),
        ] {
            let text = upstream(text, HostNames::Rejected).expect_err(text).text();
            assert!(text.starts_with("bad request body: upstream: ") && text.contains(part), "{text}");
        }
    }
}
