//! Reads and discards input until the peer has sent its FIN, because closing a socket with unread input sends a RST
//! instead of a FIN (RFC 2525, section 2.17).

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use crate::proxy::socket::wait::wait;

/// Reads until the peer's FIN. Returns whether it arrived before `due`.
pub fn discard(mut stream: &TcpStream, due: Option<Instant>) -> bool {
    let mut scrap = [0; 1024];
    loop {
        let mut readable = [PollFd::new(stream, PollFlags::IN)];
        wait(&mut readable, due);
        if readable[0].revents().is_empty() {
            return false;
        }
        match stream.read(&mut scrap) {
            Ok(0) => return true,
            Ok(_) if due.is_none_or(|due| Instant::now() < due) => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Ok(_) | Err(_) => return false,
        }
    }
}
