//! The source addresses of the connections that this process has opened to original destinations. One that comes back was
//! redirected again, and would be opened again without end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of connections from each address: one source can lead to several destinations.
#[derive(Debug, Default)]
pub struct OwnSources(Mutex<HashMap<SocketAddr, usize>>);

/// An address that is listed as long as this lives.
#[derive(Debug)]
pub struct OwnSource {
    sources: Arc<OwnSources>,
    addr: SocketAddr,
}

impl OwnSources {
    /// Lists the source address of a connect that does not block. The kernel chooses its port in the connect, which may lead
    /// to a listener of this process at once: so [`has`](Self::has) waits until the address is listed.
    ///
    /// # Errors
    /// Those of `connect`.
    pub fn list<E>(self: &Arc<Self>, connect: impl FnOnce() -> Result<SocketAddr, E>) -> Result<OwnSource, E> {
        let mut addresses = self.addresses();
        let addr = connect()?;
        *addresses.entry(addr).or_default() += 1;
        Ok(OwnSource { sources: Arc::clone(self), addr })
    }

    /// Whether a client with this address is this process.
    pub fn has(&self, client: SocketAddr) -> bool {
        self.addresses().contains_key(&client)
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnSource {
    fn drop(&mut self) {
        let mut addresses = self.sources.addresses();
        if let Some(connections) = addresses.get_mut(&self.addr) {
            *connections -= 1;
            if *connections == 0 {
                addresses.remove(&self.addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_listed_while_one_of_its_connections_lives() {
        let (sources, addr) = (Arc::new(OwnSources::default()), SocketAddr::from(([192, 0, 2, 1], 8)));
        let list = || sources.list(|| Ok::<_, ()>(addr)).expect("it is connected");
        let (first, second) = (list(), list());
        assert!(sources.has(addr) && !sources.has(SocketAddr::from(([192, 0, 2, 1], 9))));
        drop(first);
        assert!(sources.has(addr));
        drop(second);
        assert!(!sources.has(addr));
        assert_eq!(sources.list(|| Err(7)).map(drop), Err(7));
        assert!(!sources.has(addr));
    }
}
