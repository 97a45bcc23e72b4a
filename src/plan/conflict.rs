//! What no single route can tell: that two of them claim the same port or name, or that connections would go in circles.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Upstream;
use crate::value::{Port, RouteName};

/// What a route takes for itself. The parts that could not be made out are absent and conflict with nothing, so that a
/// file's conflicts can be told together with its other problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteKey {
    /// What the route is called.
    pub name: Option<RouteName>,
    /// The address it listens on.
    pub bind: Option<IpAddr>,
    /// The port it listens on.
    pub port: Option<Port>,
    /// Where its connections go.
    pub upstream: Option<Upstream>,
}

/// Why routes can't be live together. Routes are given by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There is no route at all.
    NoRoutes,
    /// Two routes listen on one port.
    SamePort {
        /// The first route that claims it.
        first: usize,
        /// The one that claims it again.
        second: usize,
    },
    /// Two routes have one name, so that their random draws and log lines could not be told apart.
    SameName {
        /// The first route that has it.
        first: usize,
        /// The one that has it again.
        second: usize,
    },
    /// Each route's upstream is the next one's listener, and the last one's is the first one's: a connection would
    /// open connections until the descriptors run out.
    Loop(Vec<usize>),
}

impl Conflict {
    /// Every conflict among `keys`.
    #[must_use]
    pub fn among(keys: &[RouteKey]) -> Vec<Self> {
        if keys.is_empty() {
            return vec![Self::NoRoutes];
        }
        let ports = repeats(keys.iter().map(|key| key.port));
        let names = repeats(keys.iter().map(|key| key.name.as_ref()));
        let same_port = ports.into_iter().map(|(first, second)| Self::SamePort { first, second });
        let same_name = names.into_iter().map(|(first, second)| Self::SameName { first, second });
        same_port.chain(same_name).chain(loops(keys).into_iter().map(Self::Loop)).collect()
    }
}

/// The index of each value that was there before, behind the index of its first appearance.
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

/// Each route has one upstream, so from any route there is one way to go: follow it until it ends or comes back.
fn loops(keys: &[RouteKey]) -> Vec<Vec<usize>> {
    let next = feeds(keys);
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

/// For each route the one that its connections go on to, if it is one of these.
pub(super) fn feeds(keys: &[RouteKey]) -> Vec<Option<usize>> {
    let listeners = listeners(keys);
    keys.iter().map(|key| fed_by(key, &listeners)).collect()
}

/// The first route that listens on each address.
fn listeners(keys: &[RouteKey]) -> HashMap<(IpAddr, u16), usize> {
    let mut first = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        if let (Some(bind), Some(port)) = (key.bind, key.port) {
            first.entry((bind.to_canonical(), port.get())).or_insert(index);
        }
    }
    first
}

/// The route whose listener the upstream of `key` is.
fn fed_by(key: &RouteKey, listeners: &HashMap<(IpAddr, u16), usize>) -> Option<usize> {
    let upstream = key.upstream?.addr();
    binds_that_take(upstream.ip()).filter_map(|bind| listeners.get(&(bind, upstream.port())).copied()).min()
}

/// Where a listener takes connections to `ip`. Of a listener on every address it is only known that it takes those to
/// the loopback: which other addresses are this machine's is not for a config check to find out.
fn binds_that_take(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let ip = ip.to_canonical();
    // [::] takes IPv4 as well, unless net.ipv6.bindv6only is set (ipv6(7)).
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
    fn a_chain_is_no_loop() {
        let chain = [("127.0.0.1", 1, "127.0.0.1:2"), ("127.0.0.1", 2, "127.0.0.1:3"), ("127.0.0.1", 3, "127.0.0.1:4")];
        assert!(loops_among(&chain).is_empty());
    }

    #[test]
    fn a_loop_is_found_once_and_without_the_way_into_it() {
        let lasso = [("127.0.0.1", 1, "127.0.0.1:2"), ("127.0.0.1", 2, "127.0.0.1:3"), ("127.0.0.1", 3, "127.0.0.1:2")];
        assert_eq!(loops_among(&lasso), [[1, 2]]);
        assert_eq!(loops_among(&[("::1", 5, "[::1]:5")]), [[0]]);
    }

    #[test]
    fn a_listener_on_every_address_takes_the_loopback() {
        assert_eq!(loops_among(&[("0.0.0.0", 5, "127.0.0.9:5")]), [[0]]);
        assert_eq!(loops_among(&[("::", 5, "127.0.0.1:5")]), [[0]]);
        assert_eq!(loops_among(&[("::", 5, "[::1]:5")]), [[0]]);
        assert_eq!(loops_among(&[("127.0.0.1", 5, "[::ffff:127.0.0.1]:5")]), [[0]]);
        assert!(loops_among(&[("0.0.0.0", 5, "[::1]:5")]).is_empty());
        assert!(loops_among(&[("127.0.0.2", 5, "127.0.0.1:5")]).is_empty());
    }

    #[test]
    fn what_could_not_be_made_out_conflicts_with_nothing() {
        let keys = [RouteKey::default(), RouteKey::default()];
        assert!(Conflict::among(&keys).is_empty());
        assert_eq!(Conflict::among(&[]), [Conflict::NoRoutes]);
    }
}
