//! Rules of iptables and ip6tables (iptables-extensions(8)): chains of their own, which are removed as a whole.

use super::{Family, MARK, Redirect, Rules};
use crate::plan::Transparency;
use crate::value::Destination;

/// A chain, its table, and the chain of the kernel that leads to it.
struct Chain {
    name: &'static str,
    table: &'static str,
    hook: &'static str,
}

/// The most ports of a rule (iptables-extensions(8), multiport).
const MULTIPORT: usize = 15;

const FROM_HERE: Chain = Chain { name: "CHAOS_PROXY", table: "nat", hook: "OUTPUT" };
const THROUGH_HERE: Chain = Chain { name: "CHAOS_PROXY_IN", table: "nat", hook: "PREROUTING" };
const MARKED: Chain = Chain { name: "CHAOS_PROXY_MARK", table: "mangle", hook: "PREROUTING" };

pub(super) fn add(rules: &Rules<'_>) -> String {
    Family::BOTH.iter().flat_map(|family| chains(rules).map(move |chain| chain.add(*family, rules))).collect()
}

pub(super) fn remove(rules: &Rules<'_>) -> String {
    Family::BOTH.iter().flat_map(|family| chains(rules).map(move |chain| chain.remove(*family))).collect()
}

fn chains(rules: &Rules<'_>) -> impl Iterator<Item = Chain> {
    let visible = rules.has(Transparency::Visible).then_some([FROM_HERE, THROUGH_HERE]);
    visible.into_iter().flatten().chain(rules.has(Transparency::Transparent).then_some(MARKED))
}

impl Chain {
    fn add(&self, family: Family, rules: &Rules<'_>) -> String {
        let Self { name, table, hook } = *self;
        let tool = tool(family);
        let rules: Vec<String> =
            self.rules(family, rules).iter().map(|rule| format!("{tool} -t {table} -A {name} {rule}\n")).collect();
        format!("{tool} -t {table} -N {name}\n{}{tool} -t {table} -A {hook} -p tcp -j {name}\n", rules.concat())
    }

    fn remove(&self, family: Family) -> String {
        let Self { name, table, hook } = *self;
        let tool = tool(family);
        format!(
            "{tool} -t {table} -D {hook} -p tcp -j {name}\n{tool} -t {table} -F {name}\n{tool} -t {table} -X {name}\n"
        )
    }

    /// What is left alone, and what is redirected.
    fn rules(&self, family: Family, rules: &Rules<'_>) -> Vec<String> {
        let mut written: Vec<String> = match self.name {
            "CHAOS_PROXY" => {
                let own = format!("-m owner --uid-owner {} -j RETURN", rules.user);
                let of_ports =
                    |ports| format!("-p tcp -m addrtype --dst-type LOCAL -m multiport --dports {ports} -j RETURN");
                [own].into_iter().chain(rules.own_ports(MULTIPORT).map(of_ports)).collect()
            }
            "CHAOS_PROXY_IN" => vec!["-m addrtype --dst-type LOCAL -j RETURN".to_owned()],
            _ => vec![
                format!("-p tcp -m socket --transparent -j MARK --set-mark {MARK}"),
                "-p tcp -m socket --transparent -j ACCEPT".to_owned(),
                "-m addrtype --dst-type LOCAL -j RETURN".to_owned(),
            ],
        };
        let transparency = if self.table == "mangle" { Transparency::Transparent } else { Transparency::Visible };
        let is_meant =
            |it: &&Redirect| it.family == family && !(self.hook == "PREROUTING" && it.listen.ip().is_loopback());
        written.extend(rules.of_transparency(transparency).filter(is_meant).map(rule));
        written
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
