//! Nothing on the control side waits for the data side: changes and the cut, with connections that are stuck in every way.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::harness::{HOUR, MUCH, accept, at_once, closes, connect, fill, upstream};
use crate::proxy::{Proxy, UPSTREAM, toxic, toxics};

const PORT: u16 = 8180;

/// Of each kind.
const CONNECTIONS: usize = 25;

/// Connections of each kind that are full; the others hold a message.
const FULL: usize = 2;

/// Connections whose peers neither read nor end, each kind on a route of its own.
struct Stuck {
    proxy: Proxy,
    upstream: TcpListener,
    kinds: Vec<Kind>,
    clients: Vec<TcpStream>,
    servers: Vec<TcpStream>,
}

/// How connections come to wait.
struct Kind {
    keys: &'static str,
    toxics: Vec<String>,
    /// What their peers can still do.
    room: Room,
}

#[derive(PartialEq)]
enum Room {
    /// Client and upstream can send until all is full.
    Bounded,
    /// What they send is discarded, or they would fill up the kernel only.
    Unbounded,
    /// There is no upstream.
    NotDialled,
}

fn kinds() -> Vec<Kind> {
    let of = |toxics, room| Kind { keys: "", toxics, room };
    let alone = |toxic| vec![toxic];
    vec![
        of(vec![], Room::Bounded),
        of(alone(toxic("latency", "both", &format!(r#""latency": {HOUR}"#))), Room::Bounded),
        of(alone(toxic("stall", "both", "")), Room::Bounded),
        of(alone(toxic("bandwidth", "both", r#""rate": 0"#)), Room::Bounded),
        of(alone(toxic("timeout", "both", "")), Room::Unbounded),
        of(alone(toxic("packet_loss", "both", r#""loss_rate": 1, "retransmit": 60000"#)), Room::Unbounded),
        Kind { keys: r#""latencyMs": 3600000, "#, ..of(vec![], Room::Unbounded) },
        Kind { keys: r#""dropRate": 1, "dropMode": "hang", "#, ..of(vec![], Room::NotDialled) },
    ]
}

impl Stuck {
    fn new() -> Self {
        let proxy = Proxy::new();
        let upstream = upstream(&proxy, UPSTREAM);
        let mut stuck = Self { proxy, upstream, kinds: kinds(), clients: Vec::new(), servers: Vec::new() };
        stuck.change(&[]);
        (PORT..).zip(kinds()).for_each(|(port, kind)| stuck.open(port, &kind));
        stuck
    }

    /// Adds toxics to those of every route.
    fn change(&self, added: &[String]) {
        let route = |(port, kind): (u16, &Kind)| {
            let list: Vec<String> = kind.toxics.iter().chain(added).cloned().collect();
            self.proxy.route(&format!("r{port}"), port, &format!("{}{}", kind.keys, toxics(&list)))
        };
        self.proxy.apply(&(PORT..).zip(&self.kinds).map(route).collect::<Vec<_>>());
    }

    fn open(&mut self, port: u16, kind: &Kind) {
        let bytes = vec![0; MUCH];
        for number in 0..CONNECTIONS {
            let mut client = connect(&self.proxy, port);
            client.write_all(b"request").unwrap();
            if kind.room != Room::NotDialled {
                let mut server = accept(&self.upstream);
                server.write_all(b"reply").unwrap();
                if number < FULL && kind.room == Room::Bounded {
                    fill(&client, &bytes);
                } else if number % 2 == 0 {
                    server.shutdown(Shutdown::Write).unwrap();
                }
                self.servers.push(server);
            }
            self.clients.push(client);
        }
    }
}

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
