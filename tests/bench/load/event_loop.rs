//! Many busy connections on one thread. Each has one request in flight; one turn of the event loop handles every answer
//! that has arrived.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use super::{Figures, figures};
use crate::Outcome;
use crate::poller::Poller;
use crate::summary::percentile;
use crate::wire::{REQUEST_BYTES, TIMEOUT, connect, corrupted};

/// A client with its connections open.
pub struct Client {
    poller: Poller,
    connections: HashMap<RawFd, Connection>,
}

struct Connection {
    stream: TcpStream,
    request: [u8; REQUEST_BYTES],
    answer: [u8; REQUEST_BYTES],
    received: usize,
    sent: Instant,
}

impl Client {
    /// Opens connections and awaits one answer on each: until then, a proxy may not have dialled the upstream.
    pub fn connect(port: u16, connections: usize) -> io::Result<Self> {
        let (poller, mut by_descriptor) = (Poller::new()?, HashMap::new());
        for number in 0..connections {
            let connection = Connection::open(port, number)?;
            poller.add(&connection.stream)?;
            by_descriptor.insert(connection.stream.as_raw_fd(), connection);
        }
        Ok(Self { poller, connections: by_descriptor })
    }

    /// Sends requests for `duration`, then waits for the last answers before it stops the clock.
    pub fn run(&mut self, duration: Duration) -> Outcome<Figures> {
        let start = Instant::now();
        let micros = self.exchange(start + duration)?;
        let seconds = start.elapsed().as_secs_f64();
        let (answers, p99) = (micros.len() as f64, percentile(&micros, 99));
        Ok(figures([("answers", answers), ("seconds", seconds), ("p99", p99)]))
    }

    /// Returns the time from each request to its answer, in us.
    fn exchange(&mut self, deadline: Instant) -> Outcome<Vec<f64>> {
        let (mut micros, mut in_flight) = (Vec::new(), self.connections.len());
        self.connections.values_mut().try_for_each(|connection| connection.send(0))?;
        while in_flight > 0 {
            let goes_on = Instant::now() < deadline;
            for ready in self.ready()? {
                let connection = self.connections.get_mut(&ready).ok_or("an event on an unknown socket")?;
                if connection.receive()? {
                    micros.push(connection.sent.elapsed().as_secs_f64() * 1e6);
                    if goes_on { connection.send(micros.len())? } else { in_flight -= 1 }
                }
            }
        }
        Ok(micros)
    }

    fn ready(&self) -> Outcome<Vec<RawFd>> {
        let ready = self.poller.wait(Some(TIMEOUT))?;
        if ready.is_empty() { Err(format!("no answer within {} s", TIMEOUT.as_secs()).into()) } else { Ok(ready) }
    }
}

impl Connection {
    fn open(port: u16, number: usize) -> io::Result<Self> {
        let mut request = [b'.'; REQUEST_BYTES];
        request[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let (stream, answer, sent) = (connect(port)?, [0; REQUEST_BYTES], Instant::now());
        let mut connection = Self { stream, request, answer, received: 0, sent };
        connection.send(0)?;
        while !connection.receive()? {}
        connection.stream.set_nonblocking(true)?;
        Ok(connection)
    }

    /// The request fits into the send buffer: nothing else is in flight.
    fn send(&mut self, number: usize) -> io::Result<()> {
        self.sent = Instant::now();
        self.request[8..16].copy_from_slice(&(number as u64).to_be_bytes());
        self.stream.write_all(&self.request)
    }

    /// Reads once. Returns whether the answer is complete; fails if it is not the request's.
    fn receive(&mut self) -> io::Result<bool> {
        let count = self.stream.read(&mut self.answer[self.received..])?;
        self.received += count;
        if count == 0 || self.answer[..self.received] != self.request[..self.received] {
            return Err(corrupted());
        }
        let is_complete = self.received == REQUEST_BYTES;
        self.received %= REQUEST_BYTES;
        Ok(is_complete)
    }
}
