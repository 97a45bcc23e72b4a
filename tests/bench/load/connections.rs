//! Short connections: each makes one round trip of eight bytes.

use std::io;
use std::time::{Duration, Instant};

use super::{Figures, figures, on_threads};
use crate::Outcome;
use crate::wire::{Task, ask, connect};

pub fn run(port: u16, workers: usize, duration: Duration) -> Outcome<Figures> {
    let start = Instant::now();
    let counts = on_threads(workers, || Ok(connect_until(port, start + duration)))?;
    let seconds = start.elapsed().as_secs_f64();
    let done: u32 = counts.iter().map(|(done, _)| done).sum();
    let failed: u32 = counts.iter().map(|(_, failed)| failed).sum();
    Ok(figures([("done", done.into()), ("failed", failed.into()), ("seconds", seconds)]))
}

/// Returns the number of connections that succeeded, and of those that failed.
fn connect_until(port: u16, deadline: Instant) -> (u32, u32) {
    let (mut done, mut failed) = (0, 0);
    while Instant::now() < deadline {
        match connect_once(port) {
            Ok(()) => done += 1,
            Err(_) => failed += 1,
        }
    }
    (done, failed)
}

fn connect_once(port: u16) -> io::Result<()> {
    ask(&connect(port)?, Task::Answer)
}
