//! Triggers over real sockets: a fault comes exactly where the conversation is, whichever direction is watched.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::ops::RangeInclusive;
use std::thread;
use std::time::Instant;

use super::{End, assert_on_time, millis, read_all, read_exactly, run, toxic_with};

/// A toxic that waits for a point, as JSON.
fn triggered(kind: &str, stream: &str, attributes: &str, when: &str) -> String {
    toxic_with(kind, stream, attributes, &format!(r#", "when": {{{when}}}"#))
}

/// Sends a request and reads it at the server.
fn request(mut client: &TcpStream, server: &TcpStream, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
    expect(server, text);
}

#[track_caller]
fn expect(receiver: &TcpStream, text: &str) {
    assert_eq!(String::from_utf8_lossy(&read_exactly(receiver, text.len())), text);
}

/// A conversation of requests and replies, each of which arrives.
fn converse(client: &TcpStream, server: &TcpStream, numbers: RangeInclusive<u32>) {
    for number in numbers {
        request(client, server, &format!("request {number}"));
        request(server, client, &format!("reply {number}"));
    }
}

/// The server has the commit and has answered it. The client has a reset and no byte of the answer, however fast the
/// server was.
#[test]
fn a_reset_after_the_commit_loses_the_reply() {
    for stream in ["upstream", "downstream", "both"] {
        let when = r#""stream": "upstream", "contains": "COMMIT""#;
        let run = run(&[triggered("reset_peer", stream, "", when)]);
        for _ in 0..20 {
            let (mut client, mut server) = run.endpoints("upstream");
            converse(&client, &server, 1..=2);
            let answers = thread::spawn(move || {
                expect(&server, "COMMIT");
                // Fails if the reset was faster.
                let _ = server.write_all(b"done");
                read_all(&server)
            });
            client.write_all(b"COMMIT").unwrap();
            assert_eq!(read_all(&client), (vec![], End::Reset), "{stream}");
            assert_eq!(answers.join().unwrap().1, End::Reset);
        }
    }
}

/// What follows the point in the same write does not arrive.
#[test]
fn a_close_comes_between_two_bytes_of_one_write() {
    for (then, arrives) in [("after", "abCOMMIT"), ("before", "ab")] {
        let when = format!(r#""contains": "COMMIT", "then": "{then}""#);
        let run = run(&[triggered("limit_time", "upstream", r#""time": 0"#, &when)]);
        let (mut client, server) = run.endpoints("upstream");
        client.write_all(b"abCOMMITcd").unwrap();
        assert_eq!(read_all(&server), (arrives.as_bytes().to_vec(), End::Fin), "{then}");
    }
}

/// The match is cut into single bytes with pauses that the sender's kernel does not join.
#[test]
fn a_match_may_arrive_byte_by_byte() {
    let run = run(&[triggered("limit_time", "upstream", r#""time": 0, "reset": true"#, r#""contains": "COMMIT""#)]);
    let (mut client, server) = run.endpoints("upstream");
    for byte in b"xCOMMIT" {
        client.write_all(&[*byte]).unwrap();
        expect(&server, &char::from(*byte).to_string());
    }
    assert_eq!(read_all(&client), (vec![], End::Reset));
}

#[test]
fn the_reply_to_the_third_request_is_lost() {
    for when in [
        r#""message": 3"#,
        r#""stream": "upstream", "message": "3:last", "then": "after""#,
        r#""stream": "upstream", "message": 3"#,
        r#""stream": "upstream", "contains": "request 3""#,
    ] {
        let run = run(&[triggered("timeout", "downstream", r#""timeout": 300"#, when)]);
        let (client, mut server) = run.endpoints("upstream");
        converse(&client, &server, 1..=2);
        request(&client, &server, "request 3");
        server.write_all(b"reply 3").unwrap();
        assert_eq!(read_all(&client), (vec![], End::Fin), "{when}");
    }
}

/// A message that is exactly as long as a read, one that is longer, and the byte in its middle.
#[test]
fn a_point_inside_a_message_is_exact() {
    for (point, passed) in [("2:1", 0), ("2:500", 499), ("2:100000", 99_999)] {
        let when = format!(r#""message": "{point}""#);
        let run = run(&[triggered("limit_time", "downstream", r#""time": 0"#, &when)]);
        let (client, mut server) = run.endpoints("upstream");
        converse(&client, &server, 1..=1);
        request(&client, &server, "more");
        server.write_all(&vec![7; 150_000]).unwrap();
        let (bytes, end) = read_all(&client);
        assert_eq!((bytes.len(), end), (passed, End::Fin), "{point}");
    }
}

/// The last byte of a message is known when its sender is silent.
#[test]
fn the_last_byte_of_a_message_is_held_back() {
    let when = r#""message": "2:last", "then": "before""#;
    let run = run(&[triggered("limit_time", "upstream", r#""time": 0, "reset": true"#, when)]);
    let (mut client, server) = run.endpoints("upstream");
    converse(&client, &server, 1..=1);
    client.write_all(b"request 2").unwrap();
    assert_eq!(read_all(&server), (b"request ".to_vec(), End::Reset));
}

/// A deadline in the other direction wakes a connection on which nothing moves.
#[test]
fn a_time_counts_from_the_trigger_on_a_silent_connection() {
    for (kind, stream) in [("reset_peer", "downstream"), ("timeout", "downstream"), ("timeout", "both")] {
        let when = r#""stream": "upstream", "contains": "x""#;
        let run = run(&[triggered(kind, stream, r#""timeout": 200"#, when)]);
        let (mut client, server) = run.endpoints("upstream");
        converse(&client, &server, 1..=1);
        let began = Instant::now();
        client.write_all(b"x").unwrap();
        let end = if kind == "reset_peer" { End::Reset } else { End::Fin };
        assert_eq!(read_all(&client), (vec![], end), "{kind} {stream}");
        assert_on_time(began, millis(200));
    }
}

/// Both sides may have closed or be silent when the point comes.
#[test]
fn a_half_closed_connection_has_its_fault_too() {
    let when = r#""contains": "reply 2", "then": "before""#;
    let run = run(&[triggered("limit_time", "downstream", r#""time": 0, "reset": true"#, when)]);
    let (mut client, mut server) = run.endpoints("upstream");
    converse(&client, &server, 1..=1);
    client.write_all(b"request 2").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server), (b"request 2".to_vec(), End::Fin));
    server.write_all(b"reply 2").unwrap();
    assert_eq!(read_all(&client), (vec![], End::Reset));
}

/// Each match stalls the stream anew, and nothing is lost.
#[test]
fn each_match_stalls_again() {
    let when = r#""stream": "upstream", "contains": "ping", "nth": "*""#;
    let run = run(&[triggered("stall", "downstream", r#""duration": 200"#, when)]);
    let (client, server) = run.endpoints("upstream");
    converse(&client, &server, 1..=1);
    for _ in 0..3 {
        let began = Instant::now();
        request(&client, &server, "ping");
        request(&server, &client, "pong");
        assert_on_time(began, millis(200));
    }
}

/// The toxic is meant for the second connection only.
#[test]
fn a_trigger_works_with_selectors() {
    let when = r#", "connections": "2", "when": {"stream": "upstream", "message": 2}"#;
    let run = run(&[toxic_with("reset_peer", "downstream", "", when)]);
    for number in 1..=3 {
        let (mut client, server) = run.endpoints("upstream");
        converse(&client, &server, 1..=1);
        if number == 2 {
            client.write_all(b"request 2").unwrap();
            assert_eq!(read_all(&client), (vec![], End::Reset));
        } else {
            converse(&client, &server, 2..=4);
        }
    }
}
