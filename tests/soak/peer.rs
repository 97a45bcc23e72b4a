//! One end of a connection through the proxy: what a client or an upstream may do to the other, and how it sees what the
//! other did. Every wait ends by itself: [`PATIENCE`] makes a failure of a hang.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::tape::Tape;
use crate::wrong::{Outcome, Wrong, ensure};

/// Far more than any step takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that takes nothing for so long is taken to be full. Were it only slow, less would be in flight: no harm.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// What one step of a conversation sends before the other end reads it; no socket is too small for it.
const MOUTHFUL: u64 = 16 * 1024;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
}

/// An end that knows what to send and what must come.
#[derive(Debug)]
pub struct Peer {
    side: Side,
    stream: TcpStream,
    outgoing: Tape,
    incoming: Tape,
}

/// The sending half of a peer.
pub struct Sender<'a> {
    side: Side,
    stream: &'a TcpStream,
    tape: &'a mut Tape,
}

/// The receiving half of a peer.
pub struct Receiver<'a> {
    side: Side,
    stream: &'a TcpStream,
    tape: &'a mut Tape,
}

impl Peer {
    /// The end at `side` of the connection that `ticket` names.
    pub fn new(side: Side, stream: TcpStream, ticket: u64) -> Outcome<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let (up, down) = (Tape::new(ticket), Tape::new(!ticket));
        let (outgoing, incoming) = if side == Side::Client { (up, down) } else { (down, up) };
        Ok(Self { side, stream, outgoing, incoming })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub fn halves(&mut self) -> (Sender<'_>, Receiver<'_>) {
        let (side, stream) = (self.side, &self.stream);
        (Sender { side, stream, tape: &mut self.outgoing }, Receiver { side, stream, tape: &mut self.incoming })
    }

    #[track_caller]
    pub fn send(&mut self, bytes: u64) -> Outcome {
        self.halves().0.send(bytes)
    }

    #[track_caller]
    pub fn receive(&mut self, bytes: u64) -> Outcome {
        self.halves().1.receive(bytes)
    }

    /// Sends `bytes` to `other`, who reads along.
    #[track_caller]
    pub fn tell(&mut self, other: &mut Self, mut bytes: u64) -> Outcome {
        while bytes > 0 {
            let mouthful = bytes.min(MOUTHFUL);
            self.send(mouthful)?;
            other.receive(mouthful)?;
            bytes -= mouthful;
        }
        Ok(())
    }

    /// Sends as much of `bytes` as the socket takes at once, and returns how much it took.
    pub fn send_some(&mut self, bytes: u64) -> Outcome<u64> {
        self.send_at_once(bytes).map_err(|error| lost(self.side, "sending", &error.into()))
    }

    /// Sends some of `bytes` while a reset is on its way, which comes now or then.
    #[track_caller]
    pub fn send_into_a_reset(&mut self, bytes: u64) -> Outcome {
        match self.send_at_once(bytes) {
            Ok(_) => self.meet_reset(),
            Err(Errno::CONNRESET) => Ok(()),
            Err(error) => Err(lost(self.side, "sending", &error.into())),
        }
    }

    fn send_at_once(&mut self, bytes: u64) -> Result<u64, Errno> {
        let mut sent = 0;
        while sent < bytes {
            match send(&self.stream, self.outgoing.ahead(bytes - sent), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(took) => {
                    self.outgoing.advance(took);
                    sent += took as u64;
                }
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Sends until nothing more is taken, and returns how much was.
    ///
    /// # Errors
    /// More is taken than the kernel's buffers can hold: the proxy keeps what it should not have read yet.
    pub fn fill(&mut self) -> Outcome<u64> {
        let (mut sent, most) = (0, most_in_flight());
        loop {
            sent += self.send_some(most)?;
            ensure(sent < most, || format!("{} MiB are in flight to a peer that does not read", sent >> 20))?;
            if told(&self.stream, PollFlags::OUT, FULL_AFTER)?.is_empty() {
                return Ok(sent);
            }
        }
    }

    /// Sends a FIN.
    pub fn finish(&self) -> Outcome {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Leaves with a RST.
    pub fn reset(self) -> Outcome {
        Ok(rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).map_err(std::io::Error::from)?)
    }

    /// The next that comes must be a FIN.
    #[track_caller]
    pub fn meet_fin(&mut self) -> Outcome {
        match (&self.stream).read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Wrong::new(format!("{} got bytes that nobody sent, where a FIN was due", self.side))),
            Err(error) => Err(lost(self.side, "waiting for a FIN", &error)),
        }
    }

    /// A RST must come, after no more than what was sent.
    #[track_caller]
    pub fn meet_reset(&mut self) -> Outcome {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Err(Wrong::new(format!("{} got a FIN where a reset was due", self.side))),
                Ok(came) => self.incoming.verify(&buffer[..came])?,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(lost(self.side, "waiting for a reset", &error)),
            }
        }
    }

    /// A RST must come although a FIN came before it: then a read only tells of the FIN, and poll(2) of the rest.
    #[track_caller]
    pub fn meet_reset_after_fin(&self) -> Outcome {
        let told = told(&self.stream, PollFlags::empty(), PATIENCE)?;
        let what = || format!("{} was not told of the reset that followed the FIN: {told:?}", self.side);
        ensure(told.contains(PollFlags::ERR), what)
    }

    /// Nothing may come, no end either, for as long as is worth waiting.
    #[track_caller]
    pub fn meet_silence(&self, during: Duration) -> Outcome {
        let told = told(&self.stream, PollFlags::IN, during)?;
        ensure(told.is_empty(), || format!("{} got something where silence was due: {told:?}", self.side))
    }
}

impl Sender<'_> {
    #[track_caller]
    pub fn send(&mut self, mut bytes: u64) -> Outcome {
        while bytes > 0 {
            let sent = self.stream.write(self.tape.ahead(bytes));
            let sent = sent.map_err(|error| lost(self.side, "sending", &error))?;
            self.tape.advance(sent);
            bytes -= sent as u64;
        }
        Ok(())
    }
}

impl Receiver<'_> {
    #[track_caller]
    pub fn receive(&mut self, bytes: u64) -> Outcome {
        let end = self.tape.position() + bytes;
        let mut buffer = vec![0; usize::try_from(bytes.min(256 * 1024)).unwrap_or(0)];
        while self.tape.position() < end {
            let wanted = usize::try_from(end - self.tape.position()).unwrap_or(usize::MAX).min(buffer.len());
            match self.stream.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(self.cut_short(end)),
                Ok(came) => self.tape.verify(&buffer[..came])?,
                Err(error) => return Err(lost(self.side, "receiving", &error)),
            }
        }
        Ok(())
    }

    #[track_caller]
    fn cut_short(&self, end: u64) -> Wrong {
        Wrong::new(format!("{} got a FIN after {} of {end} bytes", self.side, self.tape.position()))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client",
            Self::Upstream => "the upstream",
        })
    }
}

/// What `poll(2)` tells of `stream` within `patience`; nothing if there is nothing to tell.
fn told(stream: &TcpStream, wanted: PollFlags, patience: Duration) -> Outcome<PollFlags> {
    let mut fds = [PollFd::new(stream, wanted)];
    let patience = Timespec::try_from(patience).map_err(|error| Wrong::new(error.to_string()))?;
    poll(&mut fds, Some(&patience)).map_err(std::io::Error::from)?;
    Ok(fds[0].revents())
}

#[track_caller]
fn lost(side: Side, doing: &str, error: &std::io::Error) -> Wrong {
    // A timeout of a socket reads as "Resource temporarily unavailable".
    let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    let why = if hangs { format!("nothing moved for {} s", PATIENCE.as_secs()) } else { error.to_string() };
    Wrong::new(format!("{side}, {doing}: {why}"))
}

/// What can be on its way from one end to the other: a send and a receive buffer on each leg, and 4 MiB for what the
/// proxy itself may hold.
fn most_in_flight() -> u64 {
    let largest = |which: &str| {
        let limits = fs::read_to_string(format!("/proc/sys/net/ipv4/{which}")).unwrap_or_default();
        // The third of them is where autotuning ends (tcp(7)); 32 MiB is the largest default of any kernel so far.
        limits.split_whitespace().nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(32 << 20)
    };
    2 * (largest("tcp_wmem") + largest("tcp_rmem")) + (4 << 20)
}
