//! Host names of upstreams, which become addresses before the plan is made. This is the only module of `config` that
//! asks the network, and it does so only if [`HostNames`] allows it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::event::{Event, emit};
use crate::plan::Upstream;
use crate::value::{Port, Rejected, has_host_characters};

/// Which host names an upstream may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostNames {
    /// None: upstreams are IP addresses, so that DNS is never a hidden fault.
    #[default]
    Rejected,
    /// Only `localhost`, which is 127.0.0.1 without a lookup.
    Localhost,
    /// All. Each is looked up once, when its route is parsed.
    Resolved,
}

/// A host name, and the address that its lookup gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The host name.
    pub host: String,
    /// The first IPv4 address of the answer, or else the first one.
    pub ip: IpAddr,
}

impl Lookup {
    /// Logs it when its route is made.
    pub fn log(&self) {
        emit(&Event::HostResolved(&self.host, self.ip));
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.host, self.ip)
    }
}

/// What was parsed, and the lookups that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<T> {
    /// The result.
    pub value: T,
    /// Each host name once.
    pub lookups: Vec<Lookup>,
}

/// Parses the text of an upstream.
///
/// # Errors
/// The text is neither an address nor an allowed host name with a port, or the lookup failed.
pub fn parse_upstream(text: &str, host_names: HostNames) -> Result<Resolved<Upstream>, Rejected> {
    let mut resolver = Resolver::new(host_names);
    let upstream = match resolver.host(text) {
        Some((host, port)) => resolver.upstream(host, port)?,
        None => text.parse()?,
    };
    Ok(Resolved { value: upstream, lookups: resolver.lookups })
}

/// Looks each host name up once.
pub(super) struct Resolver {
    host_names: HostNames,
    pub(super) lookups: Vec<Lookup>,
}

impl Resolver {
    pub(super) fn new(host_names: HostNames) -> Self {
        Self { host_names, lookups: Vec::new() }
    }

    /// The host name and the port of `text`, if it has a name that is allowed.
    pub(super) fn host<'t>(&self, text: &'t str) -> Option<(&'t str, Port)> {
        let (host, port) = text.rsplit_once(':')?;
        let is_allowed = match self.host_names {
            HostNames::Rejected => false,
            HostNames::Localhost => host.eq_ignore_ascii_case("localhost"),
            HostNames::Resolved => is_host_name(host),
        };
        Some((host, port.parse().ok()?)).filter(|_| is_allowed)
    }

    /// The address of an allowed host.
    pub(super) fn upstream(&mut self, host: &str, port: Port) -> Result<Upstream, Rejected> {
        let ip = match self.host_names {
            HostNames::Resolved => self.ip(host)?,
            HostNames::Rejected | HostNames::Localhost => Ipv4Addr::LOCALHOST.into(),
        };
        Upstream::try_from(SocketAddr::new(ip, port.get())).map_err(|rejected| {
            Rejected::new(format!("`{host}` has the address {ip}: {}", rejected.what), "use IP:PORT")
        })
    }

    fn ip(&mut self, host: &str) -> Result<IpAddr, Rejected> {
        if let Some(known) = self.lookups.iter().find(|lookup| lookup.host == host) {
            return Ok(known.ip);
        }
        let ip = look_up(host).map_err(|error| {
            Rejected::new(format!("`{host}` can't be resolved: {error}"), "check the name, or use IP:PORT")
        })?;
        self.lookups.push(Lookup { host: host.to_owned(), ip });
        Ok(ip)
    }
}

/// The longest name that DNS has.
const LONGEST_HOST_NAME: usize = 253;

/// Whether a lookup makes sense: the last label of a host name has a letter, that of an IPv4 address has none.
fn is_host_name(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    host.len() <= LONGEST_HOST_NAME && has_host_characters(host) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The port plays no part in it.
fn look_up(host: &str) -> io::Result<IpAddr> {
    let found: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|addr| addr.ip()).collect();
    let preferred = found.iter().find(|ip| ip.is_ipv4()).or(found.first());
    preferred.copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no addresses"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_host_names_from_addresses() {
        for host in ["localhost", "db", "db-1.example.org", "a.b.", "redis_2", "3proxy", "x1.internal"] {
            assert!(is_host_name(host), "{host}");
        }
        for other in ["", ".", "127.0.0.256", "10.0.0", "[::1]", "::1", "a b", "a/b", "$HOST", "http://a", "5432"] {
            assert!(!is_host_name(other), "{other}");
        }
        assert!(!is_host_name(&"a".repeat(LONGEST_HOST_NAME + 1)));
    }

    #[test]
    fn an_address_needs_no_lookup() {
        for host_names in [HostNames::Rejected, HostNames::Localhost, HostNames::Resolved] {
            let parsed = parse_upstream("[::1]:80", host_names).expect("an address");
            assert_eq!((parsed.value.to_string().as_str(), parsed.lookups.len()), ("[::1]:80", 0));
        }
        let localhost = parse_upstream("localhost:80", HostNames::Localhost).expect("allowed");
        assert_eq!((localhost.value.to_string().as_str(), localhost.lookups.len()), ("127.0.0.1:80", 0));
        assert!(parse_upstream("localhost:80", HostNames::Rejected).is_err());
        assert!(parse_upstream("db:80", HostNames::Localhost).is_err());
    }

    /// `localhost` is in every hosts file, and `.invalid` in no zone (RFC 6761).
    #[test]
    fn a_host_name_is_resolved_or_rejected() {
        let localhost = parse_upstream("localhost:80", HostNames::Resolved).expect("it is in the hosts file");
        let ip = localhost.value.addr().expect("an address").ip();
        assert!(ip.is_loopback());
        assert_eq!(localhost.lookups, [Lookup { host: "localhost".to_owned(), ip }]);
        let unknown = parse_upstream("db.invalid:80", HostNames::Resolved).expect_err("no such name");
        assert!(unknown.what.starts_with("`db.invalid` can't be resolved: "), "{unknown}");
        assert!(parse_upstream("localhost:0", HostNames::Resolved).expect_err("port 0").hint.contains("1 to 65535"));
    }
}
