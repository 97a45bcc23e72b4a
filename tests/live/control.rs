//! Nothing on the control side waits for the data side: changes and the cut, with connections that are stuck in every way.

use std::time::{Duration, Instant};

use crate::harness::{at_once, closes};
use crate::proxy::toxic;
use crate::stuck::Stuck;

/// A change takes no lock that is held while a connection waits, and waits for none: what it takes is its own computing and
/// as many wake-ups as there are directions. On a busy machine it shares the processor with the threads that it
/// wakes, so the median counts.
#[test]
fn stuck_connections_delay_no_change() {
    let stuck = Stuck::new();
    let added = [toxic("slow_close", "both", r#""delay": 1"#)];
    let mut times: Vec<Duration> = (0..40)
        .map(|round| {
            let began = Instant::now();
            stuck.change(&added[..round % 2]);
            began.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[20] < Duration::from_millis(100), "{times:?}");
}

#[test]
fn stuck_connections_delay_no_removal() {
    let stuck = Stuck::new();
    let other = [stuck.proxy.route("other", 8200, "")];
    at_once(|| stuck.proxy.apply(&other));
    at_once(|| stuck.change(&[]));
}

#[test]
fn drain_cuts_connections_that_are_stuck() {
    let Stuck { proxy, clients, servers: _servers, .. } = Stuck::new();
    let cut = at_once(|| proxy.drain(Duration::from_millis(50)));
    assert_eq!(cut, clients.len());
    at_once(|| assert!(clients.iter().all(closes)));
}
