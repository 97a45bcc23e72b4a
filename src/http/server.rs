//! Binds an address and accepts clients, with one thread each.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::connection;
use super::limits::Limits;
use super::open_connections::OpenConnections;
use super::request::Request;
use super::response::Response;
use super::status::Status;
use crate::{listen, threads};

/// Answers a request. Called concurrently, on the thread of each connection.
type Handler = dyn Fn(Request) -> Response + Send + Sync;

/// Creates the response to a request that no handler gets, because it is invalid or exceeds a limit. The text has the
/// reason.
pub type Refuse = fn(Status, &str) -> Response;

/// A bound address. Connections wait in the kernel's backlog until it serves.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Binds `addr`. Port 0 selects any free port.
    ///
    /// # Errors
    /// The address is in use, does not belong to this machine, or is not permitted to this user.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = listen::bind(addr)?;
        listener.set_nonblocking(true)?;
        Ok(Self { addr: listener.local_addr()?, listener })
    }

    /// The bound address, with the actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves on its own threads until the process ends.
    ///
    /// # Errors
    /// No thread is available to accept connections.
    pub fn serve(
        self,
        limits: Limits,
        refuse: Refuse,
        handler: impl Fn(Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<()> {
        let open = Arc::new(OpenConnections::new(limits));
        let service = Arc::new(Service { limits, refuse, handler: Box::new(handler) });
        threads::spawn("http-accept", move || Acceptor { server: self, service, open }.run())
    }
}

/// The part that all connections of a server share.
pub(super) struct Service {
    pub(super) limits: Limits,
    pub(super) refuse: Refuse,
    pub(super) handler: Box<Handler>,
}

struct Acceptor {
    server: Server,
    service: Arc<Service>,
    open: Arc<OpenConnections>,
}

/// The pause between attempts to accept while descriptors or memory run short. accept(2) fails with EMFILE at once,
/// 355,000 times a second; 20 attempts a second use no measurable CPU time.
const BACK_OFF: Duration = Duration::from_millis(50);

impl Acceptor {
    fn run(&self) {
        loop {
            match self.accept() {
                Ok(stream) => self.serve(stream),
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    log::debug!(addr:% = self.server.addr, error:%; "http: accept failed");
                    thread::sleep(BACK_OFF);
                }
            }
        }
    }

    /// Replaces a connection only when a client is waiting to be accepted.
    fn accept(&self) -> io::Result<TcpStream> {
        poll(&mut [PollFd::new(&self.server.listener, PollFlags::IN)], None)?;
        self.open.make_room();
        let (stream, _) = self.server.listener.accept()?;
        // On BSD and macOS an accepted socket inherits O_NONBLOCK from its listener; on Linux it does not (accept(2)).
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Serves a client on a new thread. If there is none, dropping the closure closes the connection.
    fn serve(&self, stream: TcpStream) {
        let (open, service) = (self.open.add(stream), Arc::clone(&self.service));
        let serving = threads::spawn("http-client", move || {
            if let Err(error) = connection::serve(&open, &service) {
                log::debug!(error:%; "http: connection failed");
            }
        });
        if let Err(error) = serving {
            log::debug!(addr:% = self.server.addr, error:%; "http: connection closed, no thread");
        }
    }
}

/// Whether the error concerns a signal or a single client, such as one that gave up in the backlog, and not the
/// listener.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}
