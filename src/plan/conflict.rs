//! Conflicts between routes: duplicate ports, duplicate names, and loops.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Upstream;
use crate::value::{Port, RouteName};

/// The parts of a route that can conflict with another route. A part that could not be parsed is absent and conflicts
/// with nothing, so that conflicts are reported together with the file's other problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteKey {
    /// The name of the route.
    pub name: Option<RouteName>,
    /// The address that it listens on.
    pub bind: Option<IpAddr>,
    /// The port that it listens on.
    pub port: Option<Port>,
    /// The address that its connections go to.
    pub upstream: Option<Upstream>,
}

/// Why routes can't be live together. Routes are identified by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Two routes listen on the same port.
    SamePort {
        /// The first route on the port.
        first: usize,
        /// The later one.
        second: usize,
    },
    /// Two routes have the same name: their random draws and log lines could not be distinguished.
    SameName {
        /// The first route with the name.
        first: usize,
        /// The later one.
        second: usize,
    },
    /// The upstream of each route is the listener of the next one, and the last leads back to the first: a connection
    /// would open new connections until the descriptors run out.
    Loop(Vec<usize>),
}

impl Conflict {
    /// Returns all conflicts among `keys`.
    #[must_use]
    pub fn among(keys: &[RouteKey]) -> Vec<Self> {
        let ports = repeats(keys.iter().map(|key| key.port));
        let names = repeats(keys.iter().map(|key| key.name.as_ref()));
        let same_port = ports.into_iter().map(|(first, second)| Self::SamePort { first, second });
        let same_name = names.into_iter().map(|(first, second)| Self::SameName { first, second });
        same_port.chain(same_name).chain(loops(keys).into_iter().map(Self::Loop)).collect()
    }
}

impl Conflict {
    /// Describes the conflict among routes with these names.
    #[must_use]
    pub fn describe(&self, names: &[&str]) -> String {
        match self {
            Self::SamePort { first, second } => format!(
                "routes `{}` and `{}` listen on the same port; give each route a port of its own",
                names[*first], names[*second]
            ),
            Self::SameName { second, .. } => {
                format!("two routes are called `{}`; give each route a name of its own", names[*second])
            }
            Self::Loop(round) => {
                let path: Vec<&str> = round.iter().chain(round.first()).map(|route| names[*route]).collect();
                format!("these routes feed each other in a loop: {}; point one of them elsewhere", path.join(" -> "))
            }
        }
    }
}

/// Whether listeners on one port of these addresses exclude each other. `[::]` accepts IPv4 too, unless
/// net.ipv6.bindv6only is set (ipv6(7)).
#[must_use]
pub fn overlap(one: IpAddr, other: IpAddr) -> bool {
    let includes = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
    let (one, other) = (one.to_canonical(), other.to_canonical());
    one == other || includes(one, other) || includes(other, one)
}

/// Returns pairs of indices with equal values: the first one, and each later one.
fn repeats<T: Hash + Eq>(values: impl Iterator<Item = Option<T>>) -> Vec<(usize, usize)> {
    let mut seen = HashMap::new();
    let mut found = Vec::new();
    for (index, value) in values.enumerate() {
        let Some(value) = value else { continue };
        let first = *seen.entry(value).or_insert(index);
        if first != index {
            found.push((first, index));
        }
    }
    found
}

/// Each route has one upstream, so there is one path from each route. Follows it until it ends or returns.
fn loops(keys: &[RouteKey]) -> Vec<Vec<usize>> {
    let next = upstream_routes(keys);
    let mut settled = vec![false; keys.len()];
    let mut found = Vec::new();
    for start in 0..keys.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|&here| !settled[here]) {
            settled[here] = true;
            path.push(here);
            at = next[here];
        }
        if let Some(entry) = at.and_then(|back| path.iter().position(|&seen| seen == back)) {
            found.push(path.split_off(entry));
        }
    }
    found
}

/// Returns for each route the index of the route that its upstream is, if any.
pub(super) fn upstream_routes(keys: &[RouteKey]) -> Vec<Option<usize>> {
    let listeners = listeners(keys);
    keys.iter().map(|key| upstream_route(key, &listeners)).collect()
}

/// Returns the first route that listens on each address.
fn listeners(keys: &[RouteKey]) -> HashMap<(IpAddr, u16), usize> {
    let mut first = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        if let (Some(bind), Some(port)) = (key.bind, key.port) {
            first.entry((bind.to_canonical(), port.get())).or_insert(index);
        }
    }
    first
}

/// Returns the route that listens on the upstream of `key`.
fn upstream_route(key: &RouteKey, listeners: &HashMap<(IpAddr, u16), usize>) -> Option<usize> {
    let upstream = key.upstream?.addr()?;
    binds_that_accept(upstream.ip()).filter_map(|bind| listeners.get(&(bind, upstream.port())).copied()).min()
}

/// Returns the addresses on which a listener accepts connections to `ip`. A listener on all addresses is only assumed
/// to accept those to loopback addresses: the config check does not look up the other addresses of this machine.
fn binds_that_accept(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let ip = ip.to_canonical();
    // [::] accepts IPv4 too, unless net.ipv6.bindv6only is set (ipv6(7)).
    let v6 = ip.is_loopback().then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let v4 = (ip.is_loopback() && ip.is_ipv4()).then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    std::iter::once(ip).chain(v4).chain(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bind: &str, port: u16, upstream: &str) -> RouteKey {
        RouteKey {
            name: None,
            bind: bind.parse().ok(),
            port: Port::try_from(i128::from(port)).ok(),
            upstream: upstream.parse().ok(),
        }
    }

    fn loops_among(keys: &[(&str, u16, &str)]) -> Vec<Vec<usize>> {
        let keys: Vec<RouteKey> = keys.iter().map(|&(bind, port, upstream)| key(bind, port, upstream)).collect();
        loops(&keys)
    }

    #[test]
    fn a_chain_is_not_a_loop() {
        let chain = [("127.0.0.1", 1, "127.0.0.1:2"), ("127.0.0.1", 2, "127.0.0.1:3"), ("127.0.0.1", 3, "127.0.0.1:4")];
        assert!(loops_among(&chain).is_empty());
    }

    #[test]
    fn a_loop_is_reported_once_without_the_routes_that_lead_to_it() {
        let routes =
            [("127.0.0.1", 1, "127.0.0.1:2"), ("127.0.0.1", 2, "127.0.0.1:3"), ("127.0.0.1", 3, "127.0.0.1:2")];
        assert_eq!(loops_among(&routes), [[1, 2]]);
        assert_eq!(loops_among(&[("::1", 5, "[::1]:5")]), [[0]]);
    }

    #[test]
    fn a_listener_on_every_address_accepts_the_loopback() {
        assert_eq!(loops_among(&[("0.0.0.0", 5, "127.0.0.9:5")]), [[0]]);
        assert_eq!(loops_among(&[("::", 5, "127.0.0.1:5")]), [[0]]);
        assert_eq!(loops_among(&[("::", 5, "[::1]:5")]), [[0]]);
        assert_eq!(loops_among(&[("127.0.0.1", 5, "[::ffff:127.0.0.1]:5")]), [[0]]);
        assert!(loops_among(&[("0.0.0.0", 5, "[::1]:5")]).is_empty());
        assert!(loops_among(&[("127.0.0.2", 5, "127.0.0.1:5")]).is_empty());
    }

    #[test]
    fn addresses_overlap_if_only_one_can_be_bound() {
        for (one, other, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0", "127.0.0.1", true),
            ("0.0.0.0", "::1", false),
            ("0.0.0.0", "::", true),
            ("::", "127.0.0.1", true),
            ("::", "::1", true),
            ("::1", "127.0.0.1", false),
        ] {
            let [one, other]: [IpAddr; 2] = [one, other].map(|ip| ip.parse().expect(ip));
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn absent_parts_conflict_with_nothing() {
        let keys = [RouteKey::default(), RouteKey::default()];
        assert!(Conflict::among(&keys).is_empty());
    }
}
