//! The rate of one downstream stream, from its first byte.

use std::io::Read;
use std::time::{Duration, Instant};

use super::{Figures, figures};
use crate::Outcome;
use crate::wire::{BLOCK_BYTES, Direction, Task, ask, connect, corrupted};

/// Counts the bytes received within `duration`, and those of the read that is then in progress: a stream that arrives in
/// bursts is measured from the start of one burst to the start of another. Bytes, not blocks: a slow stream delivers no
/// whole block in that time.
pub fn run(port: u16, duration: Duration) -> Outcome<Figures> {
    let mut stream = connect(port)?;
    // The upstream must not end first.
    ask(&stream, Task::Stream(Direction::Down, 2 * duration))?;
    let (start, mut received, mut bytes) = (Instant::now(), 0, vec![0; BLOCK_BYTES]);
    while start.elapsed() < duration {
        match stream.read(&mut bytes)? {
            0 => return Err(corrupted().into()),
            count => received += count,
        }
    }
    Ok(figures([("bytes", received as f64), ("seconds", start.elapsed().as_secs_f64())]))
}
