//! One client from its first byte to its last: requests in turn, how long each may take, and a close that does not
//! destroy the last answer. What a request means and what answers it is told elsewhere.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::head::{self, After, BeforeBody, Head};
use super::response::{Refusal, Response};
use super::{body, resource};

/// How long a new connection may stay silent. A proxy in front connects at once and sends only when its latency is
/// over, so that this bounds the latency that the test server can be used with.
const FIRST_REQUEST: Duration = Duration::from_secs(60);

/// How long a connection is kept for a next request. A proxy that drains waits for connections to end, and a pool of
/// clients that keeps them open would hold it up.
const NEXT_REQUEST: Duration = Duration::from_secs(5);

/// From the first byte of a head to its empty line.
const HEAD: Duration = Duration::from_secs(10);

/// The longest time without a byte of a body going in or out. Generous, since slow transfers are what this is for.
const STALL: Duration = Duration::from_secs(60);

/// From the last answer to the close, for the client to read and leave.
const LINGER: Duration = Duration::from_secs(5);

/// Answers requests until the client leaves, asks to close, breaks the rules or stays away too long.
///
/// # Errors
/// The client could not be written to.
pub(super) fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(STALL))?;
    let mut connection = Connection::new(stream)?;
    let mut patience = FIRST_REQUEST;
    while connection.exchange(patience)? == After::KeepAlive {
        patience = NEXT_REQUEST;
    }
    connection.close()
}

struct Connection<'a> {
    here: SocketAddr,
    input: BufReader<TimedReader<'a>>,
    output: &'a TcpStream,
}

impl<'a> Connection<'a> {
    fn new(stream: &'a TcpStream) -> io::Result<Self> {
        let input = BufReader::with_capacity(head::LONGEST, TimedReader { stream, limit: Limit::Stall(STALL) });
        Ok(Self { here: stream.local_addr()?, input, output: stream })
    }

    /// One request and its answer; none if the client leaves, or stays silent for longer than `patience`.
    fn exchange(&mut self, patience: Duration) -> io::Result<After> {
        self.limit(Limit::by(patience));
        if !matches!(self.input.fill_buf(), Ok([_, ..])) {
            return Ok(After::Close);
        }
        let (response, after) = match self.receive() {
            Ok((head, body)) => (resource::answer(&head, body, self.here), head.after),
            Err(refusal) => (Response::from(refusal), After::Close),
        };
        self.send(&response, after)?;
        Ok(after)
    }

    fn receive(&mut self) -> Result<(Head, Vec<u8>), Refusal> {
        self.limit(Limit::by(HEAD));
        let head = self.receive_head()?;
        if head.before_body == BeforeBody::SendContinue {
            self.output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.limit(Limit::Stall(STALL));
        let body = body::read(&mut self.input, head.framing)?;
        Ok((head, body))
    }

    /// Parses anew with every arrival, so that garbage is refused at once, while its sender may wait for an answer. At
    /// worst, one byte at a time, that is 8 KiB of parsing a packet on average: no more than the packet itself costs.
    fn receive_head(&mut self) -> Result<Head, Refusal> {
        let mut received = Vec::new();
        loop {
            let arrived = self.input.fill_buf()?;
            let (before, length) = (received.len(), arrived.len());
            received.extend_from_slice(arrived);
            if let Some((head, end)) = head::parse(&received)? {
                // Its end is in what arrived last, or it had been found before.
                self.input.consume(end - before);
                return Ok(head);
            }
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.input.consume(length);
        }
    }

    /// In as few packets as it takes: NODELAY would send the header apart from a short content.
    fn send(&self, response: &Response, after: After) -> io::Result<()> {
        let mut output = BufWriter::new(self.output);
        output.write_all(&response.head(after))?;
        response.content.write_to(&mut output)?;
        output.flush()
    }

    /// To close with unread input sends a reset, which destroys what the client has not read yet (RFC 9112, 9.6). So it
    /// gets the end of stream first, and what it still sends is read until it leaves too.
    fn close(mut self) -> io::Result<()> {
        self.output.shutdown(Shutdown::Write)?;
        self.limit(Limit::by(LINGER));
        // Whether it left or the time is up is all one: the connection ends here.
        let _ = io::copy(&mut self.input, &mut io::sink());
        Ok(())
    }

    fn limit(&mut self, limit: Limit) {
        self.input.get_mut().limit = limit;
    }
}

/// Until when a read may wait.
#[derive(Clone, Copy)]
enum Limit {
    /// All reads together.
    Until(Instant),
    /// Each read for itself.
    Stall(Duration),
}

impl Limit {
    fn by(patience: Duration) -> Self {
        Self::Until(Instant::now() + patience)
    }

    /// What is left for the next read.
    fn left(self) -> Duration {
        match self {
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::Stall(longest) => longest,
        }
    }
}

/// Reads that end in time. `SO_RCVTIMEO` alone would start anew with each byte.
struct TimedReader<'a> {
    stream: &'a TcpStream,
    limit: Limit,
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.limit.left();
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(buffer) {
                // A signal ends a read that has a timeout, SA_RESTART or not (signal(7)). The one that asks the proxy
                // to drain must not cost a request.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
