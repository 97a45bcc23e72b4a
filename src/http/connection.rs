//! Serves one client: its requests in turn, the time limits, and a close that does not destroy the last response.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::body;
use super::head::{self, After, BeforeBody, Form, Head};
use super::open_connections::OpenConnection;
use super::refusal::Refusal;
use super::request::Request;
use super::response::Response;
use super::server::Service;
use super::timed_reader::{ReadLimit, TimedReader};

/// Answers requests until the client leaves, asks to close, sends an invalid request or exceeds a time limit, or until
/// the server closes the connection.
///
/// # Errors
/// Writing to the client failed, or the server closed the connection.
pub(super) fn serve(open: &OpenConnection, service: &Service) -> io::Result<()> {
    let (output, limits) = (open.stream(), &service.limits);
    output.set_nodelay(true)?;
    output.set_write_timeout(Some(limits.stall))?;
    let (client, server) = (output.peer_addr()?, output.local_addr()?);
    let reader = TimedReader { stream: output, limit: ReadLimit::within(limits.first_request) };
    let input = BufReader::with_capacity(BUFFER, reader);
    let mut connection = Connection { client, server, open, input, output, service };
    loop {
        let after = connection.exchange()?;
        // Before a close as well: a client that does not leave must not occupy a connection for others.
        open.wait();
        if after == After::Close {
            return connection.close();
        }
        connection.limit(ReadLimit::within(limits.next_request));
    }
}

/// The most bytes per read(2). Most requests fit.
const BUFFER: usize = 16 * 1024;

struct Connection<'a> {
    client: SocketAddr,
    server: SocketAddr,
    open: &'a OpenConnection,
    input: BufReader<TimedReader<'a>>,
    output: &'a TcpStream,
    service: &'a Service,
}

impl Connection<'_> {
    /// Handles one request. Closes if the client leaves or sends no request in time.
    fn exchange(&mut self) -> io::Result<After> {
        if !matches!(self.input.fill_buf(), Ok([_, ..])) {
            return Ok(After::Close);
        }
        match self.receive() {
            Ok((Head { method, target, headers, form, .. }, body)) => {
                self.open.take_request()?;
                let request = Request { method, target, headers, body, client: self.client, server: self.server };
                self.send((self.service.handler)(request), form)
            }
            Err(refusal) => self.send(self.refuse(&refusal), Form::LAST),
        }
    }

    fn receive(&mut self) -> Result<(Head, Vec<u8>), Refusal> {
        let limits = &self.service.limits;
        self.limit(ReadLimit::within(limits.head));
        let head = head::read(&mut self.input, limits)?;
        if head.before_body == BeforeBody::SendContinue {
            self.output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.limit(ReadLimit::Each(limits.stall));
        let body = body::read(&mut self.input, head.framing, limits.body_bytes)?;
        Ok((head, body))
    }

    /// Buffered: with `TCP_NODELAY`, a head that is written alone is sent as its own packet.
    fn send(&self, response: Response, form: Form) -> io::Result<After> {
        let response = self.admit(response, form);
        response.write(form, &mut BufWriter::new(self.output), &|| self.open.is_read())
    }

    /// Replaces a stream beyond the limit.
    fn admit(&self, response: Response, form: Form) -> Response {
        self.open.begin_response();
        let admitted = if response.streams(form) { self.open.begin_stream() } else { Ok(()) };
        admitted.map_or_else(|refusal| self.refuse(&refusal), |()| response)
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        (self.service.refuse)(refusal.status, &refusal.why)
    }

    /// A close with unread input sends a RST, which discards the part of the response that the client has not read (RFC
    /// 9112, 9.6). So the server sends a FIN first, and reads until the client closes too.
    fn close(mut self) -> io::Result<()> {
        self.output.shutdown(Shutdown::Write)?;
        self.limit(ReadLimit::within(self.service.limits.linger));
        // The connection ends now, even if the client has not closed in time.
        let _ = io::copy(&mut self.input, &mut io::sink());
        Ok(())
    }

    fn limit(&mut self, limit: ReadLimit) {
        self.input.get_mut().limit = limit;
    }
}
