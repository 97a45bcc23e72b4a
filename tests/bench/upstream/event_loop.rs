//! An upstream that is an event loop on one thread: one turn echoes what has arrived on every connection.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use crate::poller::Poller;
use crate::wire::REQUEST_BYTES;

pub fn start(listener: TcpListener) -> io::Result<()> {
    let poller = Poller::new()?;
    listener.set_nonblocking(true)?;
    poller.add(&listener)?;
    // An error closes every connection, so that the load fails and reports it.
    thread::spawn(move || serve(&listener, &poller));
    Ok(())
}

fn serve(listener: &TcpListener, poller: &Poller) -> io::Result<()> {
    let mut connections: HashMap<RawFd, TcpStream> = HashMap::new();
    loop {
        for ready in poller.wait(None)? {
            match connections.get(&ready) {
                Some(stream) if echo(stream).is_ok() => {}
                Some(_) => drop(connections.remove(&ready)),
                None => {
                    let stream = accept(listener)?;
                    poller.add(&stream)?;
                    connections.insert(stream.as_raw_fd(), stream);
                }
            }
        }
    }
}

/// Accepts one connection. The listener stays ready until its backlog is empty, so that the next turn accepts another.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Fails at the end of the stream. The answer fits into the send buffer: the client sends no request before it has it.
fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut bytes = [0; REQUEST_BYTES];
    match stream.read(&mut bytes)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => stream.write_all(&bytes[..count]),
    }
}
