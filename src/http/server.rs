//! Binds an address and accepts its clients, each of which gets a thread.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use rustix::event::{PollFd, PollFlags, poll};

use super::connection;
use super::limits::Limits;
use super::open_connections::OpenConnections;
use super::request::Request;
use super::response::Response;
use crate::stop::Latch;
use crate::threads;

/// Answers a request. Connections call it at the same time, each on its own thread.
pub(super) type Handler = dyn Fn(Request) -> Response + Send + Sync;

/// One address, bound: connections to it wait in the kernel's backlog until it serves.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Listens on `addr`; port 0 takes any free one.
    ///
    /// # Errors
    /// The address is in use, not this machine's, or not permitted to this user.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        Ok(Self { addr: listener.local_addr()?, listener })
    }

    /// The address that it listens on, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves on threads of its own until `stop` is triggered; without one, until the process ends. Then it closes the port
    /// and the connections that wait for a request. A request that has arrived in full is answered first, and content of
    /// unknown length goes on until it ends by itself.
    ///
    /// # Errors
    /// No thread is left to accept on.
    pub fn serve(
        self,
        limits: Limits,
        stop: Option<Arc<Latch>>,
        handler: impl Fn(Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<()> {
        let open = Arc::new(OpenConnections::new(limits.connections, limits.replaceable_after));
        let service = Arc::new(Service { limits, handler: Box::new(handler) });
        threads::spawn("http-accept", move || Acceptor { server: self, service, open, stop }.run())
    }
}

/// What a connection needs.
struct Service {
    limits: Limits,
    handler: Box<Handler>,
}

struct Acceptor {
    server: Server,
    service: Arc<Service>,
    open: Arc<OpenConnections>,
    stop: Option<Arc<Latch>>,
}

/// Between two tries to accept while descriptors or memory are lacking. accept(2) at EMFILE returns at once, 355,000 times
/// a second; 20 tries a second take no measurable CPU.
const BACK_OFF: Duration = Duration::from_millis(50);

impl Acceptor {
    fn run(&self) {
        let stopped = self.stop.as_ref().map_or_else(crossbeam_channel::never, |stop| stop.channel().clone());
        loop {
            let accepted = self.accept(&stopped);
            if self.stop.as_ref().is_some_and(|stop| stop.is_triggered()) {
                return self.open.stop();
            }
            match accepted {
                Ok(stream) => self.serve(stream),
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    log::debug!(addr:% = self.server.addr, error:%; "http: accept failed");
                    // Ends early when the server stops.
                    let _ = stopped.recv_timeout(BACK_OFF);
                }
            }
        }
    }

    /// Makes room only for a client that is there.
    fn accept(&self, stopped: &Receiver<Infallible>) -> io::Result<TcpStream> {
        let listener = PollFd::new(&self.server.listener, PollFlags::IN);
        let stop = self.stop.iter().map(|stop| PollFd::new(&**stop, PollFlags::IN));
        poll(&mut [listener].into_iter().chain(stop).collect::<Vec<_>>(), None)?;
        self.open.make_room(stopped);
        let (stream, _) = self.server.listener.accept()?;
        // BSD and macOS hand the listener's own mode on; Linux does not (accept(2)).
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Without a thread for it, the connection is closed: it is dropped with the closure.
    fn serve(&self, stream: TcpStream) {
        let (open, service) = (self.open.add(stream), Arc::clone(&self.service));
        let serving = threads::spawn("http-client", move || {
            if let Err(error) = connection::serve(&open, &service.limits, &*service.handler) {
                log::debug!(error:%; "http: connection failed");
            }
        });
        if let Err(error) = serving {
            log::debug!(addr:% = self.server.addr, error:%; "http: connection closed, no thread");
        }
    }
}

/// Whether the error concerns one client, which has left the backlog, or a signal, and not the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}
