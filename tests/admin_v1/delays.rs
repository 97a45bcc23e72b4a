//! Nothing delays an answer: neither connections that are stuck, nor readers of the events that do not read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chaos_proxy::logging::{self, LogFormat, LogLevel, LogOutput};
use log::info;

use crate::http_client::Client;
use crate::proxy::Proxy;
use crate::server::{ask, next_event, serve};
use crate::stuck::Stuck;

/// The bound for each call.
const LIMIT: Duration = Duration::from_millis(100);

/// On a busy machine a single call can wait for the processor; one that waits for a connection is slow each time.
const TRIES: usize = 5;

/// Returns the shortest time of several tries.
fn shortest(addr: SocketAddr, (method, target, body, status): (&str, &str, &str, u16)) -> Duration {
    let times = [(); TRIES].map(|()| {
        let began = Instant::now();
        let answer = ask(addr, method, target, body);
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        began.elapsed()
    });
    times.into_iter().min().unwrap()
}

fn new_toxics(proxy: &Proxy) -> String {
    let toxics = r#""toxics": [{"type": "latency", "attributes": {"latency": 5}}, {"type": "bandwidth", "attributes": {"rate": 0}}]"#;
    proxy.route("r8180", 8180, toxics)
}

#[test]
fn two_hundred_stuck_connections_delay_no_call() {
    let stuck = Stuck::new();
    let addr = serve(&stuck.proxy);
    assert_eq!(stuck.clients.len(), 200);
    let (put, other) = (new_toxics(&stuck.proxy), stuck.proxy.route("other", 8300, ""));
    let calls = [
        ("GET", "/v1/connections", "", 200),
        ("GET", "/v1/routes", "", 200),
        ("GET", "/v1/config", "", 200),
        ("GET", "/v1/health", "", 200),
        ("GET", "/metrics", "", 200),
        ("PUT", "/v1/routes/r8180", &put, 200),
        ("PUT", "/v1/routes/r8181", &stuck.proxy.route("r8181", 8181, ""), 200),
        ("DELETE", "/v1/connections?route=r8182&reset=true", "", 200),
        ("DELETE", "/v1/connections?route=r8183", "", 200),
    ];
    let mut longest = calls.iter().map(|call| (shortest(addr, *call), call.1)).max().unwrap();
    for call in [("PUT", "/v1/routes/other", &*other, 201), ("DELETE", "/v1/routes/r8184", "", 204)] {
        let began = Instant::now();
        assert_eq!(ask(addr, call.0, call.1, call.2).status, call.3);
        longest = longest.max((began.elapsed(), call.1));
    }
    println!("the longest call: {longest:?}");
    assert!(longest.0 < LIMIT, "{longest:?}");
}

#[test]
fn readers_of_the_events_that_do_not_read_harm_no_other() {
    let _log = logging::start(Some(LogLevel::Error), LogFormat::Logfmt, LogOutput::Stderr).unwrap();
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    let [_stuck, mut reader] = [(); 2].map(|()| {
        let mut client = Client::connect(addr);
        client.send(format!("GET /v1/events HTTP/1.1\r\nHost: {addr}\r\n\r\n"));
        assert_eq!(client.head().status, 200);
        client
    });
    let put =
        |latency| ask(addr, "PUT", "/v1/routes/r", &proxy.route("r", 8180, &format!(r#""latencyMs": {latency}"#)));
    let filler = "x".repeat(20_000);
    let mut times = Vec::new();
    for latency in 0..600 {
        // More than the buffers between the two ends have room for.
        info!(filler = filler.as_str(); "an event");
        let began = Instant::now();
        assert!(put(latency).status < 300);
        times.push(began.elapsed());
        // Lines of other tests in this process come in between.
        while !next_event(&mut reader).contains(r#""msg":"route changed","route":"r","#) {}
    }
    times.sort();
    println!("the slowest call: {:?}", times[599]);
    assert!(times[590] < LIMIT, "{:?}", &times[590..]);
}
