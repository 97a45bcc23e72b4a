//! Connections that are stuck in every way, on a route for each.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::harness::{HOUR, MUCH, accept, connect, fill, upstream};
use crate::proxy::{Proxy, UPSTREAM, toxic, toxics};

/// The port of the first route.
pub const PORT: u16 = 8180;

/// Of each kind.
const CONNECTIONS: usize = 25;

/// Connections of each kind that are full; the others hold a message.
const FULL: usize = 2;

/// Connections whose peers neither read nor end, each kind on a route of its own.
pub struct Stuck {
    pub proxy: Proxy,
    upstream: TcpListener,
    kinds: Vec<Kind>,
    pub clients: Vec<TcpStream>,
    pub servers: Vec<TcpStream>,
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
    pub fn new() -> Self {
        let proxy = Proxy::new();
        let upstream = upstream(&proxy, UPSTREAM);
        let mut stuck = Self { proxy, upstream, kinds: kinds(), clients: Vec::new(), servers: Vec::new() };
        stuck.change(&[]);
        (PORT..).zip(kinds()).for_each(|(port, kind)| stuck.open(port, &kind));
        stuck
    }

    /// Adds toxics to those of every route.
    pub fn change(&self, added: &[String]) {
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
