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

/// Method, target, body, and the status of the answer.
type Call<'c> = (&'static str, &'static str, &'c str, u16);

fn duration(addr: SocketAddr, (method, target, body, status): Call<'_>) -> Duration {
    let began = Instant::now();
    let answer = ask(addr, method, target, body);
    assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
    began.elapsed()
}

/// Makes the calls in this order, several times. Each has to be fast twice: the best time may be chance.
#[track_caller]
fn assert_fast(addr: SocketAddr, calls: &[Call<'_>]) {
    let rounds: Vec<Vec<Duration>> =
        (0..TRIES).map(|_| calls.iter().map(|call| duration(addr, *call)).collect()).collect();
    for (index, (method, target, ..)) in calls.iter().enumerate() {
        let mut times: Vec<Duration> = rounds.iter().map(|round| round[index]).collect();
        times.sort();
        println!("{method} {target}: {times:?}");
        assert!(times[1] < LIMIT, "{method} {target}: {times:?}");
    }
}

fn new_toxics(proxy: &Proxy) -> String {
    let toxics = r#""toxics": [{"type": "latency", "attributes": {"latency": 5}}, {"type": "bandwidth", "attributes": {"rate": 0}}]"#;
    proxy.route("r8180", 8180, toxics)
}

#[test]
fn two_hundred_stuck_connections_delay_no_call() {
    let stuck = Stuck::new();
    assert_eq!(stuck.clients.len(), 200);
    let route = |name, port| stuck.proxy.route(name, port, "");
    let (put, other) = (new_toxics(&stuck.proxy), route("other", 8300));
    let (unchanged, removed) = (route("r8181", 8181), route("r8184", 8184));
    let calls = [
        ("GET", "/v1/connections", "", 200),
        ("GET", "/v1/routes", "", 200),
        ("GET", "/v1/config", "", 200),
        ("GET", "/v1/health", "", 200),
        ("GET", "/metrics", "", 200),
        ("PUT", "/v1/routes/r8180", &put, 200),
        ("PUT", "/v1/routes/r8181", &unchanged, 200),
        ("DELETE", "/v1/connections?route=r8182&reset=true", "", 200),
        ("DELETE", "/v1/connections?route=r8183", "", 200),
        ("PUT", "/v1/routes/other", &other, 201),
        ("DELETE", "/v1/routes/other", "", 204),
        ("DELETE", "/v1/routes/r8184", "", 204),
        ("PUT", "/v1/routes/r8184", &removed, 201),
    ];
    assert_fast(serve(&stuck.proxy), &calls);
}

#[test]
fn two_hundred_stuck_connections_delay_no_call_of_toxiproxys_api() {
    let stuck = Stuck::new();
    let addr = serve(&stuck.proxy);
    let ip = stuck.proxy.ip;
    let toxic = r#"{"name": "t", "type": "latency", "attributes": {"latency": 5}}"#;
    let proxy = format!(r#"{{"name": "p", "listen": "{ip}:8300", "upstream": "{ip}:9090"}}"#);
    let list = format!("[{proxy}]");
    let calls = [
        ("GET", "/proxies", "", 200),
        ("POST", "/proxies/r8180/toxics", toxic, 200),
        ("PATCH", "/proxies/r8180/toxics/t", r#"{"attributes": {"latency": 6}}"#, 200),
        ("DELETE", "/proxies/r8180/toxics/t", "", 204),
        ("PATCH", "/proxies/r8181/toxics/latency_both", r#"{"attributes": {"latency": 7}}"#, 200),
        ("POST", "/populate", &list, 201),
        ("DELETE", "/proxies/p", "", 204),
        ("POST", "/proxies", &proxy, 201),
        ("DELETE", "/proxies/p", "", 204),
        ("PATCH", "/proxies/r8182", r#"{"enabled": false}"#, 200),
        ("PATCH", "/proxies/r8182", r#"{"enabled": true}"#, 200),
    ];
    assert_fast(addr, &calls);
    // It removes the toxics of all routes.
    assert_fast(addr, &[("POST", "/reset", "", 204)]);
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
