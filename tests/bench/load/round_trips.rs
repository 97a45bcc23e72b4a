//! Small messages on a thread for each connection, which waits for each answer before it sends the next message.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::{Figures, figures, on_threads};
use crate::Outcome;
use crate::summary::percentile;
use crate::wire::{Task, ask, connect, corrupted};

const MESSAGE_BYTES: usize = 64;

pub fn run(port: u16, connections: usize, duration: Duration) -> Outcome<Figures> {
    let start = Instant::now();
    let micros = on_threads(connections, || exchange_messages(port, duration))?.concat();
    let per_second = micros.len() as f64 / start.elapsed().as_secs_f64();
    let (p50, p99) = (percentile(&micros, 50), percentile(&micros, 99));
    Ok(figures([("per_second", per_second), ("p50", p50), ("p99", p99)]))
}

/// Returns the duration of each round trip, in us.
fn exchange_messages(port: u16, duration: Duration) -> io::Result<Vec<f64>> {
    let mut stream = connect(port)?;
    ask(&stream, Task::Echo)?;
    let (mut message, mut answer) = ([b'.'; MESSAGE_BYTES], [0; MESSAGE_BYTES]);
    let (mut micros, mut sent) = (Vec::new(), Instant::now());
    let deadline = sent + duration;
    while sent < deadline {
        message[..8].copy_from_slice(&(micros.len() as u64).to_be_bytes());
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        micros.push(sent.elapsed().as_secs_f64() * 1e6);
        if answer != message {
            return Err(corrupted());
        }
        sent = Instant::now();
    }
    Ok(micros)
}
