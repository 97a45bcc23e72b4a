//! An upstream of blocking threads, which runs the tasks that the load requests. A fixed number of threads each accept and
//! serve one connection at a time, so that no measurement includes the start of a thread here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::wire::{TASK_BYTES, Task, exchange};

/// The calls here are shallow, and blocks are on the heap.
const STACK_BYTES: usize = 64 * 1024;

/// Starts `count` threads, to serve as many connections at once.
pub fn start(listener: TcpListener, count: usize) -> io::Result<()> {
    let listener = Arc::new(listener);
    for _ in 0..count {
        let listener = Arc::clone(&listener);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || accept_loop(&listener))?;
    }
    Ok(())
}

fn accept_loop(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        // The load detects an error and reports it.
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
            Task::Stream(direction, duration) => {
                let received = exchange(stream, direction.reversed(), duration)?;
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
