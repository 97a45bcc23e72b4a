//! Connections that have done something and now do nothing.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use super::bulk::transfer;
use crate::wire::{Direction, Task, ask, connect};

/// Each has done one round trip, and then so many exchanges of one block, 256 KiB, each way.
pub fn open(port: u16, connections: usize, exchanges: usize) -> io::Result<Vec<TcpStream>> {
    (0..connections).map(|_| open_one(port, exchanges)).collect()
}

fn open_one(port: u16, exchanges: usize) -> io::Result<TcpStream> {
    let stream = connect(port)?;
    ask(&stream, Task::Answer)?;
    for _ in 0..exchanges {
        // No time at all is one block: the last.
        transfer(&stream, Direction::Both, Duration::ZERO)?;
    }
    Ok(stream)
}
