//! The load: one workload per process, the same for every target. It prints one line of JSON, and holds what it has
//! opened until its owner is done with it.

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
use crate::subprocess::{Subprocess, wait_for_start, wait_for_the_end};
use crate::wire::{Flow, make_room_for_descriptors};

/// What a workload found out, by name.
pub type Figures = BTreeMap<String, f64>;

/// A workload as its owner sees it: at work, or holding its connections.
pub struct Load(Subprocess);

impl Load {
    /// Sets `workload`, in the words of [`run`], on a port.
    pub fn start(port: u16, workload: &str) -> Outcome<Self> {
        let port = port.to_string();
        Subprocess::start(["load", &port].into_iter().chain(workload.split(' '))).map(Self)
    }

    /// Waits until the connections of an event loop are up. They are idle until [`Load::begin`].
    pub fn wait_until_connected(&mut self) -> Outcome<()> {
        self.0.line().map(drop)
    }

    /// Starts the clock of an event loop.
    pub fn begin(&mut self) -> Outcome<()> {
        self.0.begin()
    }

    /// Waits until it has done its work.
    pub fn figures(&mut self) -> Outcome<Figures> {
        Ok(serde_json::from_str(&self.0.line()?)?)
    }
}

/// In the process of the load: does what the words say.
pub fn run(words: &[&str]) -> Outcome<()> {
    make_room_for_descriptors()?;
    let [port, workload @ ..] = words else { return Err("load PORT WORKLOAD".into()) };
    let port = port.parse()?;
    match workload {
        ["bulk", streams, way, lasting] => tell(&bulk::run(port, streams.parse()?, flow(way)?, millis(lasting)?)?),
        ["steady", lasting] => tell(&steady::run(port, millis(lasting)?)?),
        ["round-trips", connections, lasting] => tell(&round_trips::run(port, connections.parse()?, millis(lasting)?)?),
        ["event-loop", connections, lasting] => {
            let mut client = event_loop::Client::connect(port, connections.parse()?)?;
            wait_for_start()?;
            tell(&client.run(millis(lasting)?)?)
        }
        ["connections", workers, lasting] => tell(&connections::run(port, workers.parse()?, millis(lasting)?)?),
        ["idle", connections, exchanges] => {
            let _held = idle::open(port, connections.parse()?, exchanges.parse()?)?;
            tell(&Figures::new())
        }
        ["delay", upstream, connections, gap] => {
            tell(&delay::run(port, upstream.parse()?, connections.parse()?, millis(gap)?)?)
        }
        _ => Err(format!("no such workload: {workload:?}").into()),
    }
}

fn tell(figures: &Figures) -> Outcome<()> {
    println!("{}", serde_json::to_string(figures)?);
    wait_for_the_end();
    Ok(())
}

fn figures<const N: usize>(named: [(&str, f64); N]) -> Figures {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn flow(way: &str) -> Outcome<Flow> {
    match way {
        "up" => Ok(Flow::Up),
        "down" => Ok(Flow::Down),
        "both" => Ok(Flow::Both),
        _ => Err(format!("no such way: {way}").into()),
    }
}

fn millis(text: &str) -> Outcome<Duration> {
    Ok(Duration::from_millis(text.parse()?))
}

/// The same work on so many threads at once, and what each came to.
fn on_threads<T: Send>(count: usize, work: impl Fn() -> io::Result<T> + Sync) -> io::Result<Vec<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        let panicked = |_| Err(io::Error::other("a thread of the load panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}
