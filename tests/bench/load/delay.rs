//! The time until the first bytes of a connection arrive. The upstream is in the same process: both ends need one clock.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::listen;

use super::{Figures, figures};
use crate::Outcome;
use crate::summary::percentile;
use crate::upstream::BACKLOG;
use crate::wire::{TIMEOUT, connect};

/// A connection's first bytes follow its accept at once, so that a few threads are enough; more would take CPU from the
/// proxy.
const RECEIVERS: usize = 16;

type Arrival = (usize, Instant);

/// Opens connections, one each `interval`, and measures from each connect to the arrival of its first bytes, in ms. `held`
/// is the number of connections opened before the first bytes arrived.
pub fn run(port: u16, upstream: u16, connections: usize, interval: Duration) -> Outcome<Figures> {
    let arrivals = receive(upstream)?;
    let (starts, streams) = open(port, connections, interval)?;
    let arrived = collect(&arrivals, connections)?;
    drop(streams);
    let first = arrived.iter().map(|(_, arrival)| *arrival).min().ok_or("no connections")?;
    let held = starts.iter().filter(|start| **start < first).count();
    let millis: Vec<f64> =
        arrived.iter().map(|(number, arrival)| (*arrival - starts[*number]).as_secs_f64() * 1e3).collect();
    let [earliest, p50, p99, latest] = [0, 50, 99, 100].map(|share| percentile(&millis, share));
    Ok(figures([("held", held as f64), ("earliest", earliest), ("p50", p50), ("p99", p99), ("latest", latest)]))
}

/// Takes each start before the connect: a proxy's delay can't begin earlier, so no correct delay appears too short.
fn open(port: u16, connections: usize, interval: Duration) -> io::Result<(Vec<Instant>, Vec<TcpStream>)> {
    let (mut starts, mut streams) = (Vec::new(), Vec::new());
    for number in 0..connections {
        let start = Instant::now();
        let mut stream = connect(port)?;
        stream.write_all(&number.to_be_bytes())?;
        starts.push(start);
        streams.push(stream);
        thread::sleep(interval.saturating_sub(start.elapsed()));
    }
    Ok((starts, streams))
}

fn collect(arrivals: &Receiver<Arrival>, connections: usize) -> Outcome<Vec<Arrival>> {
    let arrived: Result<Vec<Arrival>, RecvTimeoutError> =
        (0..connections).map(|_| arrivals.recv_timeout(TIMEOUT)).collect();
    arrived.map_err(|_| "not every connection reached the upstream".into())
}

fn receive(port: u16) -> io::Result<Receiver<Arrival>> {
    let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?);
    listen(&listener, BACKLOG)?;
    let (sender, arrivals) = channel();
    for _ in 0..RECEIVERS {
        let (listener, sender) = (Arc::clone(&listener), sender.clone());
        thread::spawn(move || accept_loop(&listener, &sender));
    }
    Ok(arrivals)
}

fn accept_loop(listener: &TcpListener, arrivals: &Sender<Arrival>) {
    for mut stream in listener.incoming().flatten() {
        let mut number = [0; size_of::<usize>()];
        // The check that the target listens opens a connection and sends nothing.
        if stream.read_exact(&mut number).is_ok() {
            let _ = arrivals.send((usize::from_be_bytes(number), Instant::now()));
        }
    }
}
