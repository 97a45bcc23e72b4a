//! Maximum throughput, on one or more streams at once.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Figures, figures, on_threads};
use crate::Outcome;
use crate::wire::{Direction, Task, ask, connect, exchange};

/// The clock runs from before the first connect until the last byte has arrived: the throughput is never overstated.
pub fn run(port: u16, streams: usize, direction: Direction, duration: Duration) -> Outcome<Figures> {
    let start = Instant::now();
    let transferred = on_threads(streams, || transfer(&connect(port)?, direction, duration))?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(figures([("bytes", transferred.iter().sum::<u64>() as f64), ("seconds", seconds)]))
}

/// Returns the number of bytes that arrived, here and at the upstream.
pub fn transfer(mut stream: &TcpStream, direction: Direction, duration: Duration) -> io::Result<u64> {
    ask(stream, Task::Stream(direction, duration))?;
    let here = exchange(stream, direction, duration)?;
    let mut there = [0; 8];
    stream.read_exact(&mut there)?;
    Ok(here + u64::from_be_bytes(there))
}
