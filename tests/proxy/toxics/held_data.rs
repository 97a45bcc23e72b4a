//! Connections that close while a toxic holds their data: half-closes, drains, and peers that leave or reset.

use std::fs;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{
    End, HOUR, Run, STREAMS, assert_on_time, is_silent, millis, noise, read_all, read_exactly, route, run, transfer,
};
use super::{start, toxic};
use crate::harness::{TIMEOUT, is_immediate, reset};

fn latency(stream: &str, millis: &str) -> String {
    toxic("latency", stream, &format!(r#""latency": {millis}"#))
}

/// Toxics that hold data for ever, or for an hour.
fn holding_toxics(stream: &str) -> [String; 4] {
    [
        latency(stream, HOUR),
        toxic("stall", stream, ""),
        toxic("timeout", stream, ""),
        toxic("bandwidth", stream, r#""rate": 0"#),
    ]
}

#[test]
fn fin_follows_delayed_data_and_reply_still_arrives() {
    for stream in STREAMS {
        let run = run(&[latency(stream, "400")]);
        let (mut from, mut to) = run.endpoints(stream);
        let began = Instant::now();
        from.write_all(b"question").unwrap();
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&to), (b"question".to_vec(), End::Fin));
        assert_on_time(began, millis(400));
        to.write_all(b"answer").unwrap();
        drop(to);
        assert_eq!(read_all(&from), (b"answer".to_vec(), End::Fin));
        drop(from);
        run.proxy
            .logged(&["connection closed", if stream == "upstream" { "client closed" } else { "upstream closed" }]);
    }
}

#[test]
fn both_directions_may_close_while_delayed() {
    let run = run(&[latency("both", "200")]);
    let (client, server) = run.pair();
    for (mut end, message) in [(&client, b"from the client"), (&server, b"from the server")] {
        end.write_all(message).unwrap();
        end.shutdown(Shutdown::Write).unwrap();
    }
    assert_eq!(read_all(&client), (b"from the server".to_vec(), End::Fin));
    assert_eq!(read_all(&server), (b"from the client".to_vec(), End::Fin));
}

#[test]
fn drain_delivers_delayed_data() {
    for stream in STREAMS {
        let mut run = run(&[latency(stream, "500")]);
        let endpoints = run.endpoints(stream);
        let bytes = noise(1 << 20);
        let sent = bytes.clone();
        let received = thread::scope(|scope| {
            let passing = scope.spawn(|| transfer(&endpoints, &sent, 65_536));
            run.proxy.logged(&["fault injected"]);
            run.proxy.signal(Signal::SIGTERM);
            run.proxy.logged(&["draining", "left=1"]);
            passing.join().unwrap()
        });
        assert!(received == (bytes, End::Fin));
        drop(endpoints);
        assert_eq!(run.proxy.wait(), 0);
    }
}

/// Opens a connection and sends data that a toxic holds. Returns the client and the server.
fn held(run: &Run, stream: &str) -> (TcpStream, TcpStream) {
    let (mut from, to) = run.endpoints(stream);
    from.write_all(b"held").unwrap();
    run.proxy.logged(&["fault injected"]);
    if stream == "upstream" { (from, to) } else { (to, from) }
}

#[test]
fn drain_deadline_cuts_held_data() {
    for stream in STREAMS {
        for toxic in holding_toxics(stream) {
            let mut run = start(route(&[toxic]).args(["--drain-timeout", "0.2"]));
            let (client, server) = held(&run, stream);
            assert_eq!(run.proxy.stop(), 1);
            run.proxy.logged(&["connection closed", "why=cut"]);
            assert_eq!((read_all(&client).1, read_all(&server).1), (End::Reset, End::Reset));
        }
    }
}

#[test]
fn second_signal_cuts_held_data() {
    for stream in STREAMS {
        for toxic in holding_toxics(stream) {
            let mut run = run(&[toxic]);
            let (client, _server) = held(&run, stream);
            run.proxy.signal(Signal::SIGINT);
            run.proxy.logged(&["draining"]);
            run.proxy.signal(Signal::SIGTERM);
            assert_eq!(run.proxy.wait(), 143);
            assert_eq!(read_all(&client).1, End::Reset);
        }
    }
}

fn descriptors(run: &Run) -> usize {
    fs::read_dir(format!("/proc/{}/fd", run.proxy.pid())).unwrap().count()
}

/// Waits until the proxy has at most this number of descriptors. It closes them just after the closing log line.
#[track_caller]
fn wait_for_descriptors(run: &Run, least: usize) {
    let began = Instant::now();
    while descriptors(run) > least {
        assert!(began.elapsed() < TIMEOUT, "{} descriptors, and {least} before", descriptors(run));
        thread::yield_now();
    }
}

/// The time from the client's leaving until the proxy has freed a connection for which `toxic` holds data. Checks what
/// the server sees and the log reports.
fn time_to_free(toxic: &str, stream: &str, leave: fn(TcpStream), (end, why): (End, &str)) -> Duration {
    let run = run(&[toxic.to_owned()]);
    let before = descriptors(&run);
    let (client, server) = held(&run, stream);
    let began = Instant::now();
    leave(client);
    assert_eq!(read_all(&server).1, end, "{toxic}");
    run.proxy.logged(&["connection closed", "conn=1 ", &format!("why={why:?}")]);
    wait_for_descriptors(&run, before);
    began.elapsed()
}

/// Data held for the client can't be delivered any more.
#[test]
fn drops_data_held_for_a_client_that_leaves() {
    for toxic in holding_toxics("downstream") {
        let time_to_free = || time_to_free(&toxic, "downstream", drop, (End::Fin, "client left"));
        assert!(is_immediate(time_to_free), "{toxic}");
    }
}

/// The toxic may be removed until the drain begins. A FIN to the server could pass for the end of a complete request.
#[test]
fn the_drain_gives_up_data_held_forever_for_a_client_that_left() {
    // Latency delivers to the upstream eventually.
    for toxic in holding_toxics("upstream").into_iter().filter(|toxic| !toxic.contains("latency")) {
        let mut run = run(std::slice::from_ref(&toxic));
        let (client, server) = held(&run, "upstream");
        drop(client);
        run.proxy.signal(Signal::SIGTERM);
        assert_eq!(read_all(&server), (Vec::new(), End::Reset), "{toxic}");
        run.proxy.logged(&["connection closed", "conn=1 ", r#"why="held too long""#]);
        assert_eq!(run.proxy.wait(), 0);
    }
}

#[test]
fn drops_held_data_after_client_resets() {
    for stream in STREAMS {
        for toxic in holding_toxics(stream) {
            // Latency delivers to the upstream eventually, and the reset after it.
            if toxic.contains("latency") && stream == "upstream" {
                continue;
            }
            let time_to_free = || time_to_free(&toxic, stream, reset, (End::Reset, "client reset"));
            assert!(is_immediate(time_to_free), "{toxic}");
        }
    }
}

/// The server keeps sending and never reads. Without a toxic it would see a reset.
#[test]
fn sending_server_notices_that_client_left() {
    for toxic in holding_toxics("downstream") {
        let run = run(std::slice::from_ref(&toxic));
        let before = descriptors(&run);
        let (client, mut server) = held(&run, "downstream");
        server.set_write_timeout(Some(millis(10))).unwrap();
        drop(client);
        let began = Instant::now();
        while run.proxy.lines(&["connection closed"]).is_empty() {
            assert!(began.elapsed() < TIMEOUT, "{toxic}");
            let _ = server.write(&[1; 1024]);
        }
        drop(server);
        wait_for_descriptors(&run, before);
    }
}

/// The client's FIN is queued after data that the proxy does not read.
#[test]
fn notices_client_leaving_while_it_sends() {
    for toxic in [toxic("stall", "upstream", ""), toxic("bandwidth", "upstream", r#""rate": 0"#)] {
        let mut run = run(&[toxic]);
        let (client, _server) = run.pair();
        client.set_write_timeout(Some(millis(200))).unwrap();
        while (&client).write(&[1; 65_536]).is_ok() {}
        drop(client);
        run.proxy.signal(Signal::SIGTERM);
        run.proxy.logged(&["connection closed", "conn=1 "]);
        assert_eq!(run.proxy.wait(), 0);
    }
}

#[test]
fn delivers_data_of_leaving_client() {
    let toxics = [latency("upstream", "400"), toxic("stall", "upstream", r#""duration": 400"#)];
    for toxic in toxics {
        let run = run(&[toxic]);
        let began = Instant::now();
        let (mut client, server) = run.pair();
        client.write_all(b"metric 1\n").unwrap();
        drop(client);
        assert_eq!(read_all(&server), (b"metric 1\n".to_vec(), End::Fin));
        assert_on_time(began, millis(400));
    }
}

/// The proxy may notice that the client left before it has forwarded its data: the data is more than the kernel buffers
/// hold, or is delayed itself.
#[test]
fn delivers_data_of_leaving_client_despite_held_reply() {
    let back = latency("downstream", HOUR);
    for toxics in [vec![back.clone()], vec![back, latency("upstream", "100")]] {
        let run = run(&toxics);
        for length in [1, 1000, 16 << 20] {
            let (mut client, mut server) = run.pair();
            server.write_all(b"hello").unwrap();
            let bytes = noise(length);
            thread::scope(|scope| {
                scope.spawn(|| (client.write_all(&bytes).unwrap(), drop(client)));
                let (received, end) = read_all(&server);
                assert!(
                    received == bytes && end == End::Fin,
                    "{} of {length} and {end:?} with {toxics:?}",
                    received.len()
                );
            });
        }
    }
}

/// The proxy sees that the client has left while its request is still delayed, and drops the reply. The server keeps
/// its connection open, and the proxy ends it nevertheless, once the request is delivered.
#[test]
fn ends_the_connection_of_a_client_that_left_after_its_delayed_request() {
    let run = run(&[latency("downstream", HOUR), latency("upstream", "300")]);
    let (mut client, mut server) = run.pair();
    server.write_all(b"held").unwrap();
    run.proxy.logged(&["fault injected", "stream=downstream"]);
    client.write_all(b"request").unwrap();
    drop(client);
    assert_eq!(read_all(&server), (b"request".to_vec(), End::Fin));
    run.proxy.logged(&["connection closed", "bytes_up=7 bytes_down=0", "why=\"client left\""]);
}

/// A half-closed client still reads what is held for it.
#[test]
fn half_close_keeps_the_delayed_reply() {
    let run = run(&[latency("downstream", "500")]);
    let (mut client, mut server) = run.pair();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server), (b"question".to_vec(), End::Fin));
    server.write_all(b"answer").unwrap();
    assert_eq!(read_exactly(&client, 6), b"answer");
    assert!(is_silent(&client));
}

/// Covers data held on the way to the server, and data held for ever on the way to the client.
#[test]
fn drops_held_data_after_server_resets() {
    for stream in STREAMS {
        for toxic in holding_toxics(stream) {
            // Latency delivers to the client eventually, so the connection stays.
            if toxic.contains("latency") && stream == "downstream" {
                continue;
            }
            let run = run(&[toxic]);
            let (client, server) = held(&run, stream);
            reset(server);
            assert_eq!(read_all(&client).1, End::Reset);
            run.proxy.logged(&["connection closed", "why=\"upstream reset\""]);
        }
    }
}

/// The server replies and resets. These toxics delay data, so the reply must not be lost.
#[test]
fn delivers_delayed_data_after_server_resets() {
    let late = [
        vec![latency("downstream", "300")],
        vec![latency("both", "300")],
        vec![toxic("stall", "downstream", r#""duration": 300"#)],
        vec![toxic("bandwidth", "downstream", r#""rate": 100"#), latency("downstream", "300")],
    ];
    for toxics in late {
        for length in [6, 3000] {
            let run = run(&toxics);
            let began = Instant::now();
            let (client, mut server) = run.pair();
            let answer = noise(length);
            server.write_all(&answer).unwrap();
            reset(server);
            assert_eq!(read_all(&client), (answer, End::Reset), "{toxics:?}");
            assert_on_time(began, millis(300));
            run.proxy.logged(&["connection closed", "why=\"upstream reset\""]);
        }
    }
}

/// The client keeps sending to a server that is gone, and only this direction notices. A reset follows the reply and
/// may fail a late send of the client, which can still read what arrived before.
#[test]
fn delivers_delayed_data_to_a_client_that_still_sends() {
    for toxics in [vec![latency("downstream", "300")], vec![latency("downstream", "300"), latency("upstream", "20")]] {
        let run = run(&toxics);
        let (mut client, mut server) = run.pair();
        server.write_all(b"answer").unwrap();
        drop(server);
        run.proxy.logged(&["fault injected", "stream=downstream"]);
        for _ in 0..20 {
            if client.write_all(b"still sending").is_err() {
                break;
            }
            thread::sleep(millis(2));
        }
        assert_eq!(read_exactly(&client, 6), b"answer", "{toxics:?}");
        read_all(&client);
        run.proxy.logged(&["connection closed"]);
    }
}

/// The proxy stops holding the reply when the client leaves.
#[test]
fn drops_delayed_data_after_client_disconnects() {
    let run = run(&[latency("downstream", HOUR)]);
    let before = descriptors(&run);
    let (client, server) = held(&run, "downstream");
    reset(server);
    assert!(is_silent(&client));
    drop(client);
    run.proxy.logged(&["connection closed"]);
    wait_for_descriptors(&run, before);
}
