//! Where a route listens: the port and the address in two keys, or in one as in Toxiproxy's config file.

use std::net::IpAddr;

use super::keys::Keys;
use crate::config::document::Node;
use crate::config::problem::Problem;
use crate::plan::keys::{BIND, LISTEN, LOCAL_PORT};
use crate::plan::{Bind, ListenAddress, LocalPort, PortChoice};
use crate::value::Port;

/// Where a route listens, as far as it could be parsed.
pub(super) struct Listen {
    pub(super) port: Option<Port>,
    pub(super) port_choice: PortChoice,
    pub(super) bind: Option<IpAddr>,
}

/// Whether a route has the key of Toxiproxy's format.
pub(super) fn has_listen(node: &Node) -> bool {
    node.get(LISTEN.name).is_some()
}

impl Keys<'_, '_> {
    /// The port and the address in two keys.
    pub(super) fn port_and_bind(&mut self, default: IpAddr) -> Listen {
        let port: Option<LocalPort> = self.read(&LOCAL_PORT);
        let bind = self.read_with(&BIND, |check, node| check.value(node).map(Bind::ip), default);
        match port {
            Some(LocalPort::Auto) => {
                Listen { port: bind.and_then(|bind| self.auto_port(bind)), port_choice: PortChoice::Auto, bind }
            }
            Some(LocalPort::Number(port)) => Listen { port: Some(port), port_choice: PortChoice::Given, bind },
            None => Listen { port: None, port_choice: PortChoice::Given, bind },
        }
    }

    /// The port and the address in one key. Reports the other two keys, which would repeat it.
    pub(super) fn listen(&mut self) -> Listen {
        for (key, _) in self.take(&[LOCAL_PORT, BIND]) {
            let what = "a route has either `listen`, or `localPort` and `bind`";
            self.report(Problem::at(key.place.written, what, "remove one: `listen` has the address and the port"));
        }
        let listen: Option<ListenAddress> = self.read(&LISTEN);
        let (port, bind) = (listen.map(ListenAddress::port), listen.map(ListenAddress::ip));
        Listen { port, port_choice: PortChoice::Given, bind }
    }

    fn auto_port(&mut self, bind: IpAddr) -> Option<Port> {
        let at = self.position(LOCAL_PORT.name);
        let check = self.check();
        let chosen = check.auto_ports.choose(bind, check.text);
        chosen.map_err(|rejected| check.problems.push(Problem::rejected(at, rejected))).ok()
    }
}
