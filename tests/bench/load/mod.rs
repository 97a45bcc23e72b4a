//! The load: one workload per process, the same for every target. It prints its figures as one line of JSON and keeps its
//! connections open until its owner drops it.

mod bulk;
mod connections;
mod delay;
mod event_loop;
mod idle;
mod round_trips;
mod steady;

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::subprocess::{Subprocess, wait_for_end, wait_for_start};
use crate::wire::{Direction, reserve_descriptors};

/// The results of a workload, by name.
pub type Figures = BTreeMap<String, f64>;

/// A workload in a process of its own: it runs, then keeps its connections open.
pub struct Load(Subprocess);

impl Load {
    /// Starts `workload`, in the arguments of [`run`], on a port.
    pub fn start(port: u16, workload: &str) -> Outcome<Self> {
        let port = port.to_string();
        Subprocess::start(["load", &port].into_iter().chain(workload.split(' '))).map(Self)
    }

    /// Waits until an event loop has opened its connections. They are idle until [`Load::begin`].
    pub fn wait_until_connected(&mut self) -> Outcome<()> {
        self.0.read_line().map(drop)
    }

    /// Starts the clock of an event loop.
    pub fn begin(&mut self) -> Outcome<()> {
        self.0.begin()
    }

    /// Waits until it has finished.
    pub fn figures(&mut self) -> Outcome<Figures> {
        Ok(serde_json::from_str(&self.0.read_line()?)?)
    }
}

/// In the process of the load: runs the workload that `args` name.
pub fn run(args: &[&str]) -> Outcome<()> {
    reserve_descriptors()?;
    let [port, workload @ ..] = args else { return Err("load PORT WORKLOAD".into()) };
    let port = port.parse()?;
    match workload {
        ["bulk", streams, way, duration] => {
            report(&bulk::run(port, streams.parse()?, direction(way)?, millis(duration)?)?)
        }
        ["steady", duration] => report(&steady::run(port, millis(duration)?)?),
        ["round-trips", connections, duration] => {
            report(&round_trips::run(port, connections.parse()?, millis(duration)?)?)
        }
        ["event-loop", connections, duration] => {
            let mut client = event_loop::Client::connect(port, connections.parse()?)?;
            wait_for_start()?;
            report(&client.run(millis(duration)?)?)
        }
        ["connections", workers, duration] => report(&connections::run(port, workers.parse()?, millis(duration)?)?),
        ["idle", connections, exchanges] => {
            let _held = idle::open(port, connections.parse()?, exchanges.parse()?)?;
            report(&Figures::new())
        }
        ["delay", upstream, connections, interval] => {
            report(&delay::run(port, upstream.parse()?, connections.parse()?, millis(interval)?)?)
        }
        _ => Err(format!("unknown workload: {workload:?}").into()),
    }
}

fn report(figures: &Figures) -> Outcome<()> {
    println!("{}", serde_json::to_string(figures)?);
    wait_for_end();
    Ok(())
}

fn figures<const N: usize>(named: [(&str, f64); N]) -> Figures {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn direction(way: &str) -> Outcome<Direction> {
    match way {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err(format!("unknown direction: {way}").into()),
    }
}

fn millis(text: &str) -> Outcome<Duration> {
    Ok(Duration::from_millis(text.parse()?))
}

/// Runs `work` on `count` threads at once; returns the result of each.
fn on_threads<T: Send>(count: usize, work: impl Fn() -> io::Result<T> + Sync) -> io::Result<Vec<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        let panicked = |_| Err(io::Error::other("a thread of the load panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}
