//! The source addresses of the connections that this process has opened to original destinations. One that comes back was
//! redirected again, and would be opened again without end.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::socket::interception::is_local;

/// The source addresses, as they were bound: the address of a socket that may have any is unspecified.
#[derive(Debug, Default)]
pub struct OwnSources(Mutex<HashSet<SocketAddr>>);

/// An address that is listed as long as this lives.
#[derive(Debug)]
pub struct OwnSource {
    sources: Arc<OwnSources>,
    addr: SocketAddr,
}

impl OwnSources {
    /// Lists an address.
    pub fn add(self: &Arc<Self>, addr: SocketAddr) -> OwnSource {
        self.addresses().insert(addr);
        OwnSource { sources: Arc::clone(self), addr }
    }

    /// Whether a client with this address is this process.
    pub fn has(&self, client: SocketAddr) -> bool {
        let addresses = self.addresses();
        let has_port = |addr: &SocketAddr| addr.ip().is_unspecified() && addr.port() == client.port();
        addresses.contains(&client) || (addresses.iter().any(has_port) && is_local(client.ip()))
    }

    fn addresses(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnSource {
    fn drop(&mut self) {
        self.sources.addresses().remove(&self.addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_listed_while_its_connection_lives() {
        let sources = Arc::new(OwnSources::default());
        let (any, exact): (SocketAddr, SocketAddr) =
            ("0.0.0.0:7".parse().expect("an address"), "192.0.2.1:8".parse().expect("an address"));
        let listed = [sources.add(any), sources.add(exact)];
        for (client, expected) in
            [("127.0.0.1:7", true), ("192.0.2.1:7", false), ("192.0.2.1:8", true), ("127.0.0.1:8", false)]
        {
            assert_eq!(sources.has(client.parse().expect(client)), expected, "{client}");
        }
        drop(listed);
        assert!(!sources.has("127.0.0.1:7".parse().expect("an address")));
    }
}
