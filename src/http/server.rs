//! Binds an address and accepts its clients, each of which gets a thread.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::connection;
use super::limits::Limits;
use super::request::Request;
use super::response::Response;
use crate::threads;

/// Answers a request. Connections call it at the same time, each on its own thread.
pub type Handler = dyn Fn(Request) -> Response + Send + Sync;

/// One address, bound: connections to it wait in the kernel's backlog until it serves.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

/// What each connection needs.
struct Service {
    limits: Limits,
    handler: Box<Handler>,
}

/// Between two tries to accept while descriptors or memory are lacking. accept(2) at EMFILE returns at once, 355,000 times
/// a second; 20 tries a second take no measurable CPU.
const BACK_OFF: Duration = Duration::from_millis(50);

impl Server {
    /// Listens on `addr`; port 0 takes any free one.
    ///
    /// # Errors
    /// The address is in use, not this machine's, or not permitted to this user.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        Ok(Self { addr: listener.local_addr()?, listener })
    }

    /// The address that it listens on, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the process ends, on threads of its own.
    ///
    /// # Errors
    /// No thread is left to accept on.
    pub fn serve(
        self,
        limits: Limits,
        handler: impl Fn(Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<()> {
        let service = Arc::new(Service { limits, handler: Box::new(handler) });
        threads::spawn("http-accept", move || self.accept_forever(&service))
    }

    fn accept_forever(&self, service: &Arc<Service>) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.serve_client(stream, Arc::clone(service)),
                // It concerns one client, which has left the backlog.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::debug!(addr:% = self.addr, error:%; "http: accept failed");
                    thread::sleep(BACK_OFF);
                }
            }
        }
    }

    /// Without a thread for it, the connection is closed: the stream is dropped with the closure.
    fn serve_client(&self, stream: TcpStream, service: Arc<Service>) {
        let serving = threads::spawn("http-client", move || {
            if let Err(error) = connection::serve(&stream, &service.limits, &*service.handler) {
                log::debug!(error:%; "http: connection failed");
            }
        });
        if let Err(error) = serving {
            log::debug!(addr:% = self.addr, error:%; "http: connection closed, no thread");
        }
    }
}
