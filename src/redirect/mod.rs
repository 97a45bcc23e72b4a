//! The script of `--print-redirect`: firewall rules that redirect connections to the routes whose upstream is `original`,
//! and their removal. Pure: from the routes to a text. The syntax of each tool is in its own file.

mod iptables;
mod nft;

use std::net::{IpAddr, SocketAddr};

use crate::plan::{Plan, Route, RouteState, Transparency, Upstream};
use crate::value::{Destination, Millis, Probability, words};

words! {
    /// A tool that sets the rules.
    pub enum Firewall("is not a tool that redirects", "use nft or iptables") {
        /// nftables.
        Nft = "nft",
        /// iptables and ip6tables.
        Iptables = "iptables",
    }
}

/// Packets with this mark go to this machine, whatever their destination is. The number of the routing table is the same.
const MARK: u32 = 0x6370;

/// The rules of a plan.
struct Rules<'p> {
    /// In the order of the routes. A connection goes to the first one that fits.
    redirects: Vec<Redirect>,
    /// The ports of the proxy itself, which stay reachable.
    own_ports: Vec<u16>,
    /// The user whose connections are not redirected.
    user: &'p str,
}

/// What is redirected, and where to.
struct Redirect {
    family: Family,
    /// `None` for every destination.
    destination: Option<Destination>,
    listen: SocketAddr,
    transparency: Transparency,
}

/// Where the kernel redirects connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hook {
    /// Those of programs on this machine.
    Output,
    /// Those of other machines that pass through this one.
    Prerouting,
    /// The same, to transparent routes.
    Transparent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// A script for sh, to be run by root, which redirects everything that the faults of the plan are meant for. The connections
/// of `user`, which runs the proxy, are left alone. With the argument `remove` it removes the rules again. `None` if no route
/// can get redirected connections.
#[must_use]
pub fn script(plan: &Plan, firewall: Firewall, user: &str) -> Option<String> {
    let rules = Rules::of(plan, user);
    let (add, remove) = match firewall {
        Firewall::Nft => (nft::add(&rules), nft::remove()),
        Firewall::Iptables => (iptables::add(&rules), iptables::remove(&rules)),
    };
    let [add_routing, remove_routing] = if rules.hooks().any(|hook| hook == Hook::Transparent) {
        ["add", "del"].map(|verb| Family::BOTH.map(|family| routing(verb, family)).concat())
    } else {
        Default::default()
    };
    rules.hooks().next().is_some().then(|| {
        format!(
            "#!/bin/sh\n# Redirects connections to chaos-proxy, except those of the user {user}. Run it as root, and with the \
             argument\n# remove to end this.\nset -eu\nif [ \"${{1-}}\" = remove ]; then\n{remove}{remove_routing}exit\nfi\n\
             {add}{add_routing}"
        )
    })
}

/// Marked packets are for this machine (`Documentation/networking/tproxy.rst` of the kernel).
fn routing(verb: &str, family: Family) -> String {
    let flag = if family == Family::V4 { "-4" } else { "-6" };
    format!(
        "ip {flag} rule {verb} fwmark {MARK} lookup {MARK}\nip {flag} route {verb} local default dev lo table {MARK}\n"
    )
}

impl<'p> Rules<'p> {
    fn of(plan: &Plan, user: &'p str) -> Self {
        let is_meant = |route: &&Route| route.upstream == Upstream::ORIGINAL && route.state == RouteState::Enabled;
        let redirects = plan.routes().iter().filter(is_meant).flat_map(redirects).collect();
        let ports = plan.routes().iter().map(|route| route.port.get());
        let own_ports = ports.chain(plan.admin().map(|addr| addr.port())).collect();
        Self { redirects, own_ports, user }
    }

    /// The hooks that redirect something.
    fn hooks(&self) -> impl Iterator<Item = Hook> {
        let hooks = [Hook::Output, Hook::Prerouting, Hook::Transparent];
        hooks.into_iter().filter(|hook| self.of_hook(*hook).next().is_some())
    }

    /// Other machines can't reach a route on a loopback address.
    fn of_hook(&self, hook: Hook) -> impl Iterator<Item = &Redirect> {
        let transparency = match hook {
            Hook::Output | Hook::Prerouting => Transparency::Visible,
            Hook::Transparent => Transparency::Transparent,
        };
        let is_reached = move |it: &Redirect| hook == Hook::Output || !it.listen.ip().is_loopback();
        self.redirects.iter().filter(move |it| it.transparency == transparency && is_reached(it))
    }

    /// The ports in lists of at most `most`.
    fn own_ports(&self, most: usize) -> impl Iterator<Item = String> {
        self.own_ports.chunks(most).map(|ports| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","))
    }
}

fn redirects(route: &Route) -> Vec<Redirect> {
    let (listen, transparency) = (route.listen(), route.transparency);
    let families = Family::BOTH.into_iter().filter(|family| accepts(listen.ip(), *family));
    let of_family = |family| {
        let is_in_family = move |it: &Option<Destination>| {
            it.and_then(|it| it.network()).is_none_or(|network| Family::of(network.address()) == family)
        };
        let destinations = aims(route).into_iter().filter(is_in_family);
        destinations.map(move |destination| Redirect { family, destination, listen, transparency })
    };
    families.flat_map(of_family).collect()
}

/// `::` takes IPv4 too.
fn accepts(bind: IpAddr, family: Family) -> bool {
    Family::of(bind) == family || (bind.is_ipv6() && bind.is_unspecified())
}

/// The destinations that the faults of a route are meant for. `None` is every destination: one of the faults is not limited,
/// or there is none yet.
fn aims(route: &Route) -> Vec<Option<Destination>> {
    let is_limited = route.drop_rate == Probability::NEVER
        && route.latency == Millis::default()
        && !route.toxics.is_empty()
        && route.toxics.iter().all(|toxic| !toxic.selector.destinations.is_empty());
    if is_limited {
        let mut aims: Vec<Option<Destination>> = Vec::new();
        for destination in route.toxics.iter().flat_map(|toxic| &toxic.selector.destinations) {
            if !aims.contains(&Some(*destination)) {
                aims.push(Some(*destination));
            }
        }
        aims
    } else {
        vec![None]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Defaults, Syntax, parse};

    fn script_of(firewall: Firewall, routes: &str) -> Option<String> {
        let text = format!(r#"{{ "admin": "127.0.0.1:8474", "routes": [{routes}] }}"#);
        let plan = parse("it", &text, Syntax::Json, Defaults::default()).unwrap_or_else(|report| panic!("{report}"));
        script(&plan.value, firewall, "chaos")
    }

    #[test]
    fn only_what_faults_are_meant_for_is_redirected() {
        let aimed = r#"{ "localPort": 8180, "bind": "::", "upstream": "original", "toxics": [
            { "type": "noop", "destinations": ["10.0.0.0/8:5432", "[fd00::/8]:5432"] } ] }"#;
        let script = script_of(Firewall::Nft, aimed).expect("a script");
        assert!(script.contains("ip daddr 10.0.0.0/8 tcp dport 5432 redirect to :8180"), "{script}");
        assert!(script.contains("ip6 daddr fd00::/8 tcp dport 5432 redirect to :8180"), "{script}");
        assert!(!script.contains("meta nfproto ipv4 meta l4proto tcp redirect"), "{script}");
        let script = script_of(Firewall::Iptables, aimed).expect("a script");
        assert!(
            script.contains(
                "iptables -w -t nat -A CHAOS_PROXY -p tcp -d 10.0.0.0/8 --dport 5432 -j REDIRECT --to-ports 8180"
            ),
            "{script}"
        );
        let dropping = aimed.replace(r#""upstream""#, r#""dropRate": 0.1, "upstream""#);
        let script = script_of(Firewall::Nft, &dropping).expect("a script");
        assert!(script.contains("meta nfproto ipv6 meta l4proto tcp redirect to :8180"), "{script}");
    }

    #[test]
    fn a_plan_without_such_routes_has_no_rules() {
        for routes in [
            r#"{ "localPort": 8180, "upstream": "127.0.0.1:1" }"#,
            r#"{ "localPort": 8180, "upstream": "original", "enabled": false }"#,
            r#"{ "localPort": 8180, "upstream": "original", "transparent": true }"#,
        ] {
            assert_eq!(script_of(Firewall::Nft, routes), None);
        }
    }

    #[test]
    fn the_routing_of_marked_packets_is_only_changed_if_it_is_needed() {
        let route = r#"{ "localPort": 8180, "upstream": "original", "bind": "0.0.0.0", "transparent": true }"#;
        for firewall in [Firewall::Nft, Firewall::Iptables] {
            let script = script_of(firewall, route).expect("a script");
            assert!(script.contains("ip -6 rule add fwmark 25456 lookup 25456"), "{script}");
            let script = script_of(firewall, &route.replace("true", "false")).expect("a script");
            assert!(!script.contains("fwmark"), "{script}");
        }
    }
}
