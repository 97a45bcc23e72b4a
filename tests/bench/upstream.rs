//! The upstream of every target: it does what the load asks for. A fixed number of threads, each of which accepts and
//! serves one connection at a time, so that no measurement pays for a thread of ours.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustix::net::listen;

use crate::Outcome;
use crate::subprocess::wait_for_the_end;
use crate::wire::{TASK_BYTES, Task, exchange, make_room_for_descriptors};

/// No target may fail because of our backlog.
pub const BACKLOG: i32 = 4096;

/// A connection here needs a frame or two; bulk is on the heap.
pub const STACK_BYTES: usize = 64 * 1024;

/// `THREADS`: how many connections it serves at once. Prints its port.
pub fn run(words: &[&str]) -> Outcome<()> {
    let [threads] = words else { return Err("upstream THREADS".into()) };
    make_room_for_descriptors()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, BACKLOG)?;
    let port = listener.local_addr()?.port();
    let listener = Arc::new(listener);
    for _ in 0..threads.parse()? {
        let listener = Arc::clone(&listener);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || accept_for_ever(&listener))?;
    }
    println!("{port}");
    wait_for_the_end();
    Ok(())
}

fn accept_for_ever(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        // The load sees how it ended, and tells.
        let _ = serve(&stream);
    }
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(task) = next_task(stream)? {
        stream.write_all(&task.to_bytes())?;
        match task {
            Task::Answer => {}
            Task::Echo => return io::copy(&mut { stream }, &mut stream).map(|_| ()),
            Task::Stream(flow, lasting) => {
                let received = exchange(stream, flow.seen_from_the_other_side(), lasting)?;
                stream.write_all(&received.to_be_bytes())?;
            }
        }
    }
    Ok(())
}

fn next_task(mut stream: &TcpStream) -> io::Result<Option<Task>> {
    let mut bytes = [0; TASK_BYTES];
    match stream.read_exact(&mut bytes) {
        Ok(()) => Task::from_bytes(bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
