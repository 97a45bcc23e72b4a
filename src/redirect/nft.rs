//! Rules of nftables (nft(8)): a table of their own, so that they are removed with it.

use std::net::IpAddr;

use super::{Family, Hook, MARK, Redirect, Rules};
use crate::plan::Transparency;
use crate::value::Destination;

const TABLE: &str = "inet chaos_proxy";

pub(super) fn add(rules: &Rules<'_>) -> String {
    let chains: String = rules.hooks().map(|hook| chain(hook, rules)).collect();
    // An older table is replaced at once. It has to exist to be deleted.
    format!("nft -f - <<'END'\ntable {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{chains}}}\nEND\n")
}

pub(super) fn remove() -> String {
    format!("nft delete table {TABLE}\n")
}

fn chain(hook: Hook, rules: &Rules<'_>) -> String {
    let (name, kind) = match hook {
        Hook::Output => ("output", "type nat hook output priority -100"),
        Hook::Prerouting => ("prerouting", "type nat hook prerouting priority -100"),
        Hook::Transparent => ("transparent", "type filter hook prerouting priority -150"),
    };
    let redirected = rules.of_hook(hook).map(|redirect| format!("{} {}", matched(redirect), action(redirect)));
    let lines: Vec<String> =
        left_alone(hook, rules).into_iter().chain(redirected).map(|rule| format!("    {rule}\n")).collect();
    format!("  chain {name} {{\n    {kind}; policy accept;\n{}  }}\n", lines.concat())
}

/// The proxy's own connections would come back to it without end. Answers to the addresses of clients belong to sockets of
/// a transparent route, and are for this machine too.
fn left_alone(hook: Hook, rules: &Rules<'_>) -> Vec<String> {
    let to_this_machine = "fib daddr type local return".to_owned();
    match hook {
        Hook::Output => {
            let of_ports = |ports| format!("fib daddr type local tcp dport {{ {ports} }} return");
            let own = format!("meta skuid {} return", user(rules.user));
            [own].into_iter().chain(rules.own_ports(usize::MAX).map(of_ports)).collect()
        }
        Hook::Prerouting => vec![to_this_machine],
        Hook::Transparent => {
            vec![format!("meta l4proto tcp socket transparent 1 meta mark set {MARK} accept"), to_this_machine]
        }
    }
}

fn user(user: &str) -> String {
    let is_number = user.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { user.to_owned() } else { format!("\"{user}\"") }
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
fn action(redirect: &Redirect) -> String {
    let (listen, port) = (redirect.listen, redirect.listen.port());
    match (redirect.transparency, listen.ip()) {
        (Transparency::Transparent, _) => {
            let family = if redirect.family == Family::V4 { "ip" } else { "ip6" };
            format!("tproxy {family} to :{port} meta mark set {MARK} accept")
        }
        (Transparency::Visible, ip) if ip.is_unspecified() => format!("redirect to :{port}"),
        (Transparency::Visible, IpAddr::V4(_)) => format!("dnat ip to {listen}"),
        (Transparency::Visible, IpAddr::V6(_)) => format!("dnat ip6 to {listen}"),
    }
}
