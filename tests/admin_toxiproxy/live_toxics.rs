//! Toxics that come, change and go on live connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::server::{PORT, Toxiproxy, is_silent};

fn arrives(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    let mut came = vec![0; bytes.len()];
    stream.read_exact(&mut came).is_ok() && came == bytes
}

fn is_reset(mut stream: &TcpStream) -> bool {
    stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// The two toxics with which Testcontainers cuts a connection.
#[test]
fn rate_0_stalls_and_its_removal_releases() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    assert!(pair.forwards());
    for stream in ["UPSTREAM", "DOWNSTREAM"] {
        let name = format!("CUT_CONNECTION_{stream}");
        server.add_toxic(&format!(
            r#"{{"name":"{name}","type":"bandwidth","stream":"{stream}","attributes":{{"rate":0}}}}"#
        ));
    }
    (&pair.client).write_all(b"request").unwrap();
    (&pair.server).write_all(b"reply").unwrap();
    assert!(is_silent(&pair.server) && is_silent(&pair.client));
    for stream in ["UPSTREAM", "DOWNSTREAM"] {
        server.expect(204, "DELETE", &format!("/proxies/db/toxics/CUT_CONNECTION_{stream}"), "");
    }
    assert!(arrives(&pair.server, b"request") && arrives(&pair.client, b"reply") && pair.forwards());
}

#[test]
fn removal_of_a_timeout_closes_connections_with_a_gap() {
    let (server, upstream) = Toxiproxy::with_db();
    let (lossy, whole) = (server.pair(PORT, &upstream), server.pair(PORT, &upstream));
    server.add_toxic(r#"{"type":"timeout","name":"t","stream":"upstream","attributes":{"timeout":0}}"#);
    (&lossy.client).write_all(b"lost").unwrap();
    assert!(is_silent(&lossy.server));
    server.expect(200, "PATCH", "/proxies/db/toxics/t", r#"{"attributes":{"timeout":3600000}}"#);
    assert!(is_silent(&lossy.client));
    server.expect(204, "DELETE", "/proxies/db/toxics/t", "");
    assert!(lossy.is_closed() && whole.forwards());
}

#[test]
fn toxicity_acts_on_live_connections() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    server.add_toxic(r#"{"type":"bandwidth","name":"b","toxicity":0}"#);
    assert!(pair.forwards());
    server.expect(200, "PATCH", "/proxies/db/toxics/b", r#"{"toxicity":1}"#);
    (&pair.server).write_all(b"held").unwrap();
    assert!(is_silent(&pair.client));
    server.expect(200, "POST", "/proxies/db/toxics/b", r#"{"toxicity":0}"#);
    assert!(arrives(&pair.client, b"held") && pair.forwards());
}

/// Toxiproxy sends a FIN unless the toxic was there before the connection.
#[test]
fn reset_peer_resets_a_live_connection() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    assert!(pair.forwards());
    server.add_toxic(r#"{"type":"reset_peer","attributes":{"timeout":0}}"#);
    assert!(is_reset(&pair.client) && is_reset(&pair.server));
}

/// In Toxiproxy, it resets even the connections that it is not meant for.
#[test]
fn reset_peer_of_toxicity_0_resets_nothing() {
    let (server, upstream) = Toxiproxy::with_db();
    server.add_toxic(r#"{"type":"reset_peer","toxicity":0}"#);
    let pair = server.pair(PORT, &upstream);
    assert!(pair.forwards());
    pair.server.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!((&pair.client).read(&mut [0]).unwrap(), 0);
}

/// The number of chunks of two bytes, each with its number, so that a lost or moved byte shows.
const CHUNKS: u16 = u16::MAX;

#[test]
fn toxics_that_come_and_go_keep_every_byte() {
    let (server, upstream) = Toxiproxy::with_db();
    let pair = server.pair(PORT, &upstream);
    thread::scope(|scope| {
        let sender =
            scope.spawn(|| (0..CHUNKS).for_each(|chunk| (&pair.client).write_all(&chunk.to_be_bytes()).unwrap()));
        let receiver = scope.spawn(|| (0..CHUNKS).all(|chunk| arrives(&pair.server, &chunk.to_be_bytes())));
        while !(sender.is_finished() && receiver.is_finished()) {
            server.add_toxic(r#"{"type":"latency","stream":"upstream","attributes":{"latency":20,"jitter":10}}"#);
            server.expect(204, "DELETE", "/proxies/db/toxics/latency_upstream", "");
        }
        assert!(receiver.join().unwrap());
    });
    assert!(pair.forwards());
}
