//! Toxics that come and go a thousand times under load. In a process of its own, as its threads and descriptors are
//! counted.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "live/proxy.rs"]
mod proxy;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proxy::{IDLE_PIPE_DESCRIPTORS, Proxy, UPSTREAM, toxic, toxics};

const PORT: u16 = 8180;
const CHANGES: usize = 1000;
const CONNECTIONS: usize = 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A prime: no piece that is lost or repeated is a multiple of it.
const PERIOD: usize = 99_991;

const MOST_AT_ONCE: usize = 64 * 1024;

/// Half of the connections stream, the other half sends a message after each reply.
#[test]
fn a_thousand_changes_under_load_cost_no_byte_thread_or_descriptor() {
    let before = Usage::now();
    let proxy = Proxy::new();
    let echo = serve_echo(TcpListener::bind((proxy.ip, UPSTREAM)).unwrap());
    let plans = plans(&proxy);
    proxy.apply(&plans[0]);
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let stream = connect(&proxy);
                let carry = if number % 2 == 0 { stream_both_ways } else { ping };
                scope.spawn(move || carry(&stream, stop))
            })
            .collect();
        plans.iter().cycle().take(CHANGES).for_each(|plan| proxy.apply(plan));
        stop.store(true, Ordering::SeqCst);
        let carried: Vec<u64> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        assert!(carried.iter().all(|&bytes| bytes > 0), "{carried:?}");
    });
    assert_eq!(proxy.drain(TIMEOUT), 0);
    echo.join().unwrap();
    before.await_again();
}

/// The plain path, and chains of several kinds, with toxics that stay while others go.
fn plans(proxy: &Proxy) -> Vec<[String; 1]> {
    let latency = toxic("latency", "both", r#""latency": 1"#);
    let slicer = toxic("slicer", "both", r#""average_size": 20000, "size_variation": 9000"#);
    let bandwidth = toxic("bandwidth", "both", r#""rate": 1000000"#);
    let noop = toxic("noop", "both", "");
    let lists = [
        vec![],
        vec![&latency],
        vec![&latency, &slicer],
        vec![],
        vec![&bandwidth],
        vec![&slicer, &bandwidth],
        vec![&noop],
        vec![&bandwidth, &latency, &slicer],
        vec![&latency, &bandwidth],
    ];
    let route = |list: Vec<&String>| [proxy.route("r", PORT, &toxics(&list.into_iter().cloned().collect::<Vec<_>>()))];
    lists.into_iter().map(route).collect()
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((proxy.ip, PORT)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Echoes that many connections.
fn serve_echo(upstream: TcpListener) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let echo = |stream: TcpStream| {
            std::io::copy(&mut &stream, &mut &stream).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        };
        let accepted = (0..CONNECTIONS).map(|_| upstream.accept().unwrap().0);
        let threads: Vec<_> = accepted.map(|stream| thread::spawn(move || echo(stream))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    })
}

/// The bytes of a stream from `offset` on, at most [`MOST_AT_ONCE`].
fn bytes_at(offset: u64, length: usize) -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut rng = fastrand::Rng::with_seed(1);
        let period: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(PERIOD).collect();
        period.iter().cycle().take(PERIOD + MOST_AT_ONCE).copied().collect()
    });
    let start = usize::try_from(offset % PERIOD as u64).unwrap();
    &BYTES[start..start + length]
}

/// Returns the number of bytes that came back.
fn stream_both_ways(mut stream: &TcpStream, stop: &AtomicBool) -> u64 {
    thread::scope(|scope| {
        let sent = scope.spawn(move || {
            let (mut stream, mut sent) = (stream, 0);
            while !stop.load(Ordering::SeqCst) {
                stream.write_all(bytes_at(sent, 50_000)).unwrap();
                sent += 50_000;
            }
            stream.shutdown(Shutdown::Write).unwrap();
            sent
        });
        let (mut came, mut buffer) = (0, vec![0; MOST_AT_ONCE]);
        loop {
            let length = stream.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            assert!(buffer[..length] == *bytes_at(came, length), "after {came} bytes");
            came += length as u64;
        }
        assert_eq!(sent.join().unwrap(), came);
        came
    })
}

/// Returns the number of bytes that came back.
fn ping(mut stream: &TcpStream, stop: &AtomicBool) -> u64 {
    let (mut came, mut reply) = (0, [0; 20]);
    while !stop.load(Ordering::SeqCst) {
        let message = bytes_at(came, reply.len());
        stream.write_all(message).unwrap();
        stream.read_exact(&mut reply).unwrap();
        assert!(reply == message, "after {came} bytes");
        came += reply.len() as u64;
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut reply).unwrap(), 0);
    came
}

#[derive(Debug)]
struct Usage {
    threads: usize,
    sockets: usize,
    others: usize,
}

impl Usage {
    fn now() -> Self {
        let entries = |folder: &str| fs::read_dir(folder).unwrap().map_while(Result::ok).collect::<Vec<_>>();
        let targets: Vec<_> = entries("/proc/self/fd").iter().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
        let sockets = targets.iter().filter(|target| target.to_string_lossy().starts_with("socket:")).count();
        Self { threads: entries("/proc/self/task").len(), sockets, others: targets.len() - sockets }
    }

    fn covers(&self, now: &Self) -> bool {
        let others = self.others + IDLE_PIPE_DESCRIPTORS;
        now.threads <= self.threads && now.sockets <= self.sockets && now.others <= others
    }

    /// Parked threads end after some seconds.
    fn await_again(&self) {
        let began = Instant::now();
        let mut now = Self::now();
        while !self.covers(&now) {
            assert!(began.elapsed() < TIMEOUT, "{self:?} before, {now:?} after");
            thread::yield_now();
            now = Self::now();
        }
    }
}
