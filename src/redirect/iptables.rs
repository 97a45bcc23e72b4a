//! Rules of iptables and ip6tables (iptables-extensions(8)): chains of their own, which are removed as a whole.

use super::{Family, Hook, MARK, Redirect, Rules};
use crate::plan::Transparency;
use crate::value::Destination;

/// The most ports of a rule (iptables-extensions(8), multiport).
const MULTIPORT: usize = 15;

pub(super) fn add(rules: &Rules<'_>) -> String {
    let of_family = |family| rules.hooks().map(move |hook| add_chain(hook, family, rules));
    Family::BOTH.into_iter().flat_map(of_family).collect()
}

pub(super) fn remove(rules: &Rules<'_>) -> String {
    let of_family = |family| rules.hooks().map(move |hook| remove_chain(hook, family));
    Family::BOTH.into_iter().flat_map(of_family).collect()
}

/// Our chain, its table, and the chain of the kernel that leads to it.
fn names(hook: Hook) -> (&'static str, &'static str, &'static str) {
    match hook {
        Hook::Output => ("CHAOS_PROXY", "nat", "OUTPUT"),
        Hook::Prerouting => ("CHAOS_PROXY_IN", "nat", "PREROUTING"),
        Hook::Transparent => ("CHAOS_PROXY_MARK", "mangle", "PREROUTING"),
    }
}

fn add_chain(hook: Hook, family: Family, rules: &Rules<'_>) -> String {
    let ((name, table, from), tool) = (names(hook), tool(family));
    let redirected = rules.of_hook(hook).filter(|redirect| redirect.family == family).map(rule);
    let rules = left_alone(hook, rules).into_iter().chain(redirected);
    let rules: Vec<String> = rules.map(|rule| format!("{tool} -t {table} -A {name} {rule}\n")).collect();
    format!("{tool} -t {table} -N {name}\n{}{tool} -t {table} -A {from} -p tcp -j {name}\n", rules.concat())
}

fn remove_chain(hook: Hook, family: Family) -> String {
    let ((name, table, from), tool) = (names(hook), tool(family));
    format!("{tool} -t {table} -D {from} -p tcp -j {name}\n{tool} -t {table} -F {name}\n{tool} -t {table} -X {name}\n")
}

/// The same as with nftables.
fn left_alone(hook: Hook, rules: &Rules<'_>) -> Vec<String> {
    let to_this_machine = "-m addrtype --dst-type LOCAL -j RETURN".to_owned();
    match hook {
        Hook::Output => {
            let own = format!("-m owner --uid-owner {} -j RETURN", rules.user);
            let of_ports =
                |ports| format!("-p tcp -m addrtype --dst-type LOCAL -m multiport --dports {ports} -j RETURN");
            [own].into_iter().chain(rules.own_ports(MULTIPORT).map(of_ports)).collect()
        }
        Hook::Prerouting => vec![to_this_machine],
        Hook::Transparent => vec![
            format!("-p tcp -m socket --transparent -j MARK --set-mark {MARK}"),
            "-p tcp -m socket --transparent -j ACCEPT".to_owned(),
            to_this_machine,
        ],
    }
}

fn rule(redirect: &Redirect) -> String {
    let network = redirect.destination.and_then(|it| it.network()).map(|network| format!(" -d {network}"));
    let ports = match redirect.destination.as_ref().and_then(Destination::ports) {
        None => String::new(),
        Some((first, last)) if first == last => format!(" --dport {first}"),
        Some((first, last)) => format!(" --dport {first}:{last}"),
    };
    let port = redirect.listen.port();
    let target = match redirect.transparency {
        Transparency::Transparent => format!("TPROXY --on-port {port} --tproxy-mark {MARK}"),
        // A redirect goes to the address of the interface, which a listener on a single address need not have.
        Transparency::Visible if redirect.listen.ip().is_unspecified() => format!("REDIRECT --to-ports {port}"),
        Transparency::Visible => format!("DNAT --to-destination {}", redirect.listen),
    };
    format!("-p tcp{}{ports} -j {target}", network.unwrap_or_default())
}

/// It waits for another user of the tables.
fn tool(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables -w",
        Family::V6 => "ip6tables -w",
    }
}
