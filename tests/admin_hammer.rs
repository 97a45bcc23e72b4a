//! Eight threads change routes through the API while 100 connections echo checked data. Its own process, because it
//! counts threads and descriptors.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "live/harness.rs"]
mod harness;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "http_client/mod.rs"]
mod http_client;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "live/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "admin_v1/server.rs"]
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::{connect, pattern, serve_echo, upstream};
use proxy::{IDLE_PIPE_DESCRIPTORS, Proxy, UPSTREAM, toxic, toxics};
use server::{ask, serve, until};

const CONNECTIONS: usize = 100;
const THREADS: u16 = 8;
const ROUNDS: u16 = 8;

/// Connections of this route survive: its toxics change, and nothing else.
const STABLE: u16 = 8180;

/// The routes that each thread creates, changes, disables and removes.
const PASSING: u16 = 8200;

/// Echoes pieces of many sizes until `done`, and checks each byte.
fn check_echo(mut stream: &TcpStream, done: &AtomicBool) {
    let bytes = pattern(200_000);
    let (mut at, mut came) = (0, vec![0; bytes.len()]);
    while !done.load(Ordering::Relaxed) {
        let piece = &bytes[at..(at + 1 + at % 5000).min(bytes.len())];
        stream.write_all(piece).unwrap();
        stream.read_exact(&mut came[..piece.len()]).unwrap();
        assert!(came[..piece.len()] == *piece, "a wrong byte after {at}");
        at = (at + piece.len()) % (bytes.len() - 5001);
    }
}

fn stable_route(proxy: &Proxy, round: u16) -> String {
    let list = match round % 4 {
        0 => vec![],
        1 => vec![toxic("latency", "both", r#""latency": 2, "jitter": 1"#)],
        2 => vec![toxic("slicer", "upstream", r#""average_size": 100, "size_variation": 50"#)],
        _ => vec![toxic("bandwidth", "downstream", r#""rate": 5000"#), toxic("latency", "upstream", r#""latency": 1"#)],
    };
    proxy.route("stable", STABLE, &toxics(&list))
}

/// One thread's calls.
fn hammer(proxy: &Proxy, addr: SocketAddr, thread: u16) {
    let (name, port) = (format!("passing{thread}"), PASSING + thread);
    let path = format!("/v1/routes/{name}");
    let put = |keys: &str| ask(addr, "PUT", &path, &proxy.route(&name, port, keys)).status;
    for round in 0..ROUNDS {
        assert_eq!(put(""), 201);
        let passing = connect(proxy, port);
        assert_eq!(ask(addr, "PUT", "/v1/routes/stable", &stable_route(proxy, round + thread)).status, 200);
        assert_eq!(put(r#""latencyMs": 1"#), 200);
        assert_eq!(ask(addr, "GET", "/v1/connections", "").status, 200);
        assert_eq!(put(r#""enabled": false"#), 200);
        assert_eq!(ask(addr, "GET", "/metrics", "").status, 200);
        assert_eq!(ask(addr, "DELETE", &format!("/v1/connections?route={name}&reset=true"), "").status, 200);
        assert_eq!(ask(addr, "DELETE", &path, "").status, 204);
        drop(passing);
    }
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn eight_threads_change_routes_under_a_hundred_connections() {
    let proxy = Proxy::new();
    let addr = serve(&proxy);
    serve_echo(upstream(&proxy, UPSTREAM));
    assert_eq!(ask(addr, "PUT", "/v1/routes/stable", &stable_route(&proxy, 0)).status, 201);
    let (threads, descriptors) = (count("/proc/self/task"), count("/proc/self/fd"));
    let streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(&proxy, STABLE)).collect();
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        for stream in &streams {
            scope.spawn(|| check_echo(stream, done));
        }
        let hammers: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let proxy = &proxy;
                    move || hammer(proxy, addr, thread)
                })
            })
            .collect();
        let results: Vec<_> = hammers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
    drop(streams);
    // Idle threads of the pool end after 5 s.
    until(|| count("/proc/self/task") <= threads && count("/proc/self/fd") <= descriptors + IDLE_PIPE_DESCRIPTORS);
}
