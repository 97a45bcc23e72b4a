//! Connections that carry some data and are then idle.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use super::bulk::transfer;
use crate::wire::{Direction, Task, ask, connect};

/// Opens connections. Each makes one round trip, then sends and receives `exchanges` blocks of 256 KiB.
pub fn open(port: u16, connections: usize, exchanges: usize) -> io::Result<Vec<TcpStream>> {
    (0..connections).map(|_| open_one(port, exchanges)).collect()
}

fn open_one(port: u16, exchanges: usize) -> io::Result<TcpStream> {
    let stream = connect(port)?;
    ask(&stream, Task::Answer)?;
    for _ in 0..exchanges {
        // A duration of zero sends only the last block.
        transfer(&stream, Direction::Both, Duration::ZERO)?;
    }
    Ok(stream)
}
