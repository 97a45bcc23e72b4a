//! Rules of nftables (nft(8)): a table of their own, so that they are removed with it.

use std::net::IpAddr;

use super::{Family, MARK, Redirect, Rules};
use crate::plan::Transparency;
use crate::value::Destination;

const TABLE: &str = "inet chaos_proxy";

pub(super) fn add(rules: &Rules<'_>) -> String {
    let (visible, transparent) = (rules.has(Transparency::Visible), rules.has(Transparency::Transparent));
    let chains =
        [visible.then(|| from_here(rules)), visible.then(|| through_here(rules)), transparent.then(|| marked(rules))];
    let chains: String = chains.into_iter().flatten().collect();
    // An older table is replaced at once. It has to exist to be deleted.
    format!("nft -f - <<'END'\ntable {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{chains}}}\nEND\n")
}

pub(super) fn remove() -> String {
    format!("nft delete table {TABLE}\n")
}

/// Connections of programs on this machine. The proxy's own ones would come back to it without end.
fn from_here(rules: &Rules<'_>) -> String {
    let is_number = rules.user.bytes().all(|byte| byte.is_ascii_digit());
    let user = if is_number { rules.user.to_owned() } else { format!("\"{}\"", rules.user) };
    let own_ports =
        rules.own_ports(usize::MAX).map(|ports| format!("fib daddr type local tcp dport {{ {ports} }} return"));
    let left_alone: Vec<String> = [format!("meta skuid {user} return")].into_iter().chain(own_ports).collect();
    chain(
        "output",
        "type nat hook output priority -100",
        &left_alone,
        rules.of_transparency(Transparency::Visible),
        translation,
    )
}

/// Connections of other machines through this one. A route on a loopback address can't be reached from them.
fn through_here(rules: &Rules<'_>) -> String {
    let left_alone = ["fib daddr type local return".to_owned()];
    let reachable = rules.of_transparency(Transparency::Visible).filter(|it| !it.listen.ip().is_loopback());
    chain("prerouting", "type nat hook prerouting priority -100", &left_alone, reachable, translation)
}

/// Answers to the addresses of clients, which belong to sockets of the proxy, are for this machine too.
fn marked(rules: &Rules<'_>) -> String {
    let left_alone = [
        format!("meta l4proto tcp socket transparent 1 meta mark set {MARK} accept"),
        "fib daddr type local return".to_owned(),
    ];
    let redirects = rules.of_transparency(Transparency::Transparent);
    chain("transparent", "type filter hook prerouting priority -150", &left_alone, redirects, |redirect| {
        let family = if redirect.family == Family::V4 { "ip" } else { "ip6" };
        format!("tproxy {family} to :{} meta mark set {MARK} accept", redirect.listen.port())
    })
}

fn chain<'r>(
    name: &str,
    hook: &str,
    left_alone: &[String],
    redirects: impl Iterator<Item = &'r Redirect>,
    action: fn(&Redirect) -> String,
) -> String {
    let redirected = redirects.map(|redirect| format!("{} {}", matched(redirect), action(redirect)));
    let rules = left_alone.iter().cloned().chain(redirected);
    let rules: Vec<String> = rules.map(|rule| format!("    {rule}\n")).collect();
    format!("  chain {name} {{\n    {hook}; policy accept;\n{}  }}\n", rules.concat())
}

fn matched(redirect: &Redirect) -> String {
    let network = redirect.destination.and_then(|it| it.network());
    let (protocol, family) = match redirect.family {
        Family::V4 => ("ip", "ipv4"),
        Family::V6 => ("ip6", "ipv6"),
    };
    let address =
        network.map_or_else(|| format!("meta nfproto {family}"), |network| format!("{protocol} daddr {network}"));
    match redirect.destination.as_ref().and_then(Destination::ports) {
        None => format!("{address} meta l4proto tcp"),
        Some((first, last)) if first == last => format!("{address} tcp dport {first}"),
        Some((first, last)) => format!("{address} tcp dport {first}-{last}"),
    }
}

/// A redirect goes to the address of the interface, which a listener on a single address need not have.
fn translation(redirect: &Redirect) -> String {
    let (ip, port) = (redirect.listen.ip(), redirect.listen.port());
    match ip {
        ip if ip.is_unspecified() => format!("redirect to :{port}"),
        IpAddr::V4(_) => format!("dnat ip to {}", redirect.listen),
        IpAddr::V6(_) => format!("dnat ip6 to {}", redirect.listen),
    }
}
