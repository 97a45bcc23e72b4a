//! How soon a new toxic reaches a thousand idle connections. In a process of its own, as it needs thousands of
//! descriptors and threads.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "live/proxy.rs"]
mod proxy;

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use proxy::{Proxy, UPSTREAM, toxic, toxics};

const PORT: u16 = 8180;

/// The limit on the number of connections of [`Proxy`].
const CONNECTIONS: usize = 1000;

/// The bound on the time from the change to the last of the connections.
const SOON: Duration = Duration::from_millis(50);

/// The number of changes. Each wakes 2,000 threads, which need the processor. Other work of the machine adds to the time
/// and never takes away from it, so the bound holds for the fastest quarter.
const CHANGES: usize = 21;

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn a_toxic_reaches_a_thousand_idle_connections_soon() {
    raise_descriptors();
    let proxy = Proxy::new();
    let upstream = TcpListener::bind((proxy.ip, UPSTREAM)).unwrap();
    proxy.apply(&[proxy.route("r", PORT, "")]);
    let _pairs: Vec<(TcpStream, TcpStream)> = (0..CONNECTIONS)
        .map(|_| (TcpStream::connect((proxy.ip, PORT)).unwrap(), upstream.accept().unwrap().0))
        .collect();
    let latency = proxy.route("r", PORT, &toxics(&[toxic("latency", "both", r#""latency": 1000"#)]));
    let plans = [latency, proxy.route("r", PORT, "")];
    let took = |change: usize| {
        let (plan, acting) = [(&plans[0], CONNECTIONS), (&plans[1], 0)][change % 2];
        let began = Instant::now();
        proxy.apply(std::slice::from_ref(plan));
        await_acting(&proxy, acting);
        began.elapsed()
    };
    let mut all: Vec<Duration> = (0..CHANGES).map(took).collect();
    all.sort();
    assert!(all[CHANGES / 4] < SOON, "{all:?}");
}

/// Waits until a toxic acts on this number of connections.
fn await_acting(proxy: &Proxy, number: usize) {
    let due = Instant::now() + TIMEOUT;
    loop {
        let connections = proxy.supervisor.connections();
        if connections.iter().filter(|connection| !connection.toxics.is_empty()).count() == number {
            return;
        }
        assert!(Instant::now() < due, "it does not reach all of them");
        thread::yield_now();
    }
}

/// Four sockets for each connection.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}
