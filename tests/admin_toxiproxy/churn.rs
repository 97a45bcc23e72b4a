//! Many requests at once, while connections of a proxy that none of them changes echo checked bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::server::{PORT, Toxiproxy, UPSTREAM};

const THREADS: u16 = 8;
const ROUNDS: usize = 10;
const CONNECTIONS: usize = 40;

fn echo(upstream: TcpListener) {
    thread::spawn(move || {
        for stream in upstream.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
}

/// Whether every byte comes back, in order, until `done`.
fn echoes(mut stream: TcpStream, done: &AtomicBool) -> bool {
    let sent: Vec<u8> = (0..=250).cycle().take(5000).collect();
    let mut came = vec![0; sent.len()];
    while !done.load(Ordering::Relaxed) {
        if stream.write_all(&sent).is_err() || stream.read_exact(&mut came).is_err() || came != sent {
            return false;
        }
    }
    true
}

/// All that can be done with a proxy of its own.
fn churn(server: &Toxiproxy, name: &str, port: u16) {
    let proxy = format!("/proxies/{name}");
    let toxic = format!("{proxy}/toxics/latency_downstream");
    let entry = |port| format!(r#"[{{"name":"{name}","listen":"IP:{port}","upstream":"IP:9090"}}]"#);
    server.create(name, port, UPSTREAM);
    let mut stream = server.connect(port);
    stream.write_all(b"held").unwrap();
    server.expect(200, "POST", &format!("{proxy}/toxics"), r#"{"type":"latency","attributes":{"latency":50}}"#);
    // Another thread may have reset it in the meantime.
    server.send("PATCH", &toxic, r#"{"attributes":{"latency":3600000},"toxicity":0.5}"#);
    server.send("DELETE", &toxic, "");
    server.expect(200, "POST", &proxy, r#"{"enabled":false}"#);
    server.expect(200, "PATCH", &proxy, r#"{"enabled":true}"#);
    server.expect(201, "POST", "/populate", &entry(port + 100));
    server.expect(200, "GET", "/proxies", "");
    server.expect(204, "POST", "/reset", "");
    server.expect(204, "DELETE", &proxy, "");
}

#[test]
fn concurrent_requests_disturb_no_other_proxy() {
    let (server, upstream) = Toxiproxy::with_db();
    echo(upstream);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| echoes(server.connect(PORT), &done))).collect();
        let drivers: Vec<_> = (1..=THREADS)
            .map(|number| {
                let server = &server;
                scope.spawn(move || (0..ROUNDS).for_each(|_| churn(server, &format!("p{number}"), PORT + number)))
            })
            .collect();
        let driven: Vec<bool> = drivers.into_iter().map(|driver| driver.join().is_ok()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(driven.into_iter().all(|it| it) && clients.into_iter().all(|client| client.join().unwrap()));
    });
    assert_eq!(server.expect(200, "GET", "/proxies", "").matches("\"name\"").count(), 1);
}
