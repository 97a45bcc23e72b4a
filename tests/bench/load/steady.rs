//! One stream down as it comes, from its first bytes on.

use std::io::Read;
use std::time::{Duration, Instant};

use super::{Figures, figures};
use crate::Outcome;
use crate::wire::{BLOCK_BYTES, Direction, Task, ask, connect, corrupted};

/// Counts what comes within `lasting`, and what the read under way then brings: what comes in surges is measured from the
/// start of one to the start of another. Blocks would be too coarse: a slow stream brings none in that time.
pub fn run(port: u16, duration: Duration) -> Outcome<Figures> {
    let mut stream = connect(port)?;
    // The upstream must not be done first.
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
