//! Moves bytes from one socket to another and looks at none of them.

use std::io::{self, Read};
use std::net::TcpStream;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::wait::wait;

/// The heap that a direction holds; a page of it is resident once a read has reached it.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a relay came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The source has sent its FIN, and all before it is written.
    Eof,
    /// The source was reset.
    SourceLost,
    /// The sink was reset, or takes no more.
    SinkLost,
}

/// Copies until `source` ends or one of the two is lost. Returns the bytes that the sink's kernel took, and why it stopped.
pub fn relay(source: &TcpStream, sink: &TcpStream) -> (u64, Stopped) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut moved = 0;
    loop {
        let filled = match (&*source).read(&mut buffer) {
            Ok(0) => return (moved, Stopped::Eof),
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return (moved, Stopped::SourceLost),
        };
        let mut rest = &buffer[..filled];
        while !rest.is_empty() {
            match write_some(source, sink, rest) {
                Ok(written) => {
                    moved += written as u64;
                    rest = &rest[written..];
                }
                Err(lost) => return (moved, lost),
            }
        }
    }
}

/// Like a blocking write, but ends as well when the source is reset: a sink that stands still must not hide that.
fn write_some(source: &TcpStream, sink: &TcpStream, bytes: &[u8]) -> Result<usize, Stopped> {
    loop {
        match send(sink, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(written) => return Ok(written),
            Err(Errno::AGAIN) => wait_for_room(source, sink)?,
            Err(Errno::INTR) => {}
            Err(_) => return Err(Stopped::SinkLost),
        }
    }
}

fn wait_for_room(source: &TcpStream, sink: &TcpStream) -> Result<(), Stopped> {
    // Asking for no event still reports errors and hang-ups (poll(2)).
    let mut fds = [PollFd::new(sink, PollFlags::OUT), PollFd::new(source, PollFlags::empty())];
    wait(&mut fds, None);
    if fds[1].revents().contains(PollFlags::ERR) {
        return Err(Stopped::SourceLost);
    }
    if fds[1].revents().contains(PollFlags::HUP) {
        // Closed in both directions in good order: it has nothing more to tell, and would end every poll at once.
        wait(&mut fds[..1], None);
    }
    Ok(())
}
