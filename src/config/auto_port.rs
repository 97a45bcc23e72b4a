//! The ports of routes that leave them to the system. They are chosen when the text is parsed, so that a plan has the
//! number of each port. Beside `lookup`, this is the only module of `config` that asks the system.

use std::net::IpAddr;

use crate::free_port::{ATTEMPTS, free_port};
use crate::value::{Port, Rejected};

/// Chooses ports that the routes of one text don't use.
#[derive(Debug, Default)]
pub(super) struct AutoPorts {
    chosen: Vec<Port>,
}

impl AutoPorts {
    /// A free port of `ip` that no other route of `text` has. A route whose port is written there could begin to listen
    /// on it, or lead to it, so a port with the same digits as any number in the text is not chosen.
    pub(super) fn choose(&mut self, ip: IpAddr, text: &str) -> Result<Port, Rejected> {
        let mut port = free(ip)?;
        for _ in 1..ATTEMPTS {
            if !self.chosen.contains(&port) && !text.contains(&port.to_string()) {
                break;
            }
            port = free(ip)?;
        }
        self.chosen.push(port);
        Ok(port)
    }
}

fn free(ip: IpAddr) -> Result<Port, Rejected> {
    free_port(ip).map_err(|error| {
        Rejected::new(format!("no port of {ip} can be chosen: {error}"), "use an address of this machine")
    })
}

/// Chooses a free port for the only route of a command line, which has this upstream.
///
/// # Errors
/// This machine does not have the address, or no port is left.
pub fn auto_port(ip: IpAddr, upstream: &str) -> Result<Port, Rejected> {
    AutoPorts::default().choose(ip, upstream)
}
