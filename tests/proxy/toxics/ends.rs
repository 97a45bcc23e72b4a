//! A FIN and a RST travel like the data: on an idle stream too, they take the latency of their direction.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::{End, STREAMS, assert_on_time, millis, read_all, read_exactly, run, toxic, wait_until_acknowledged};
use crate::harness::reset;

fn latency(stream: &str) -> String {
    toxic("latency", stream, r#""latency": 400"#)
}

/// Sends a byte and waits for it, so that the stream is idle and not new.
fn exchange((from, to): &(TcpStream, TcpStream)) {
    let mut from = from;
    from.write_all(b"x").unwrap();
    read_exactly(to, 1);
}

#[test]
fn fin_of_an_idle_stream_is_delayed() {
    for stream in STREAMS {
        for used in [false, true] {
            let run = run(&[latency(stream)]);
            let endpoints = run.endpoints(stream);
            if used {
                exchange(&endpoints);
            }
            let (from, to) = endpoints;
            let began = Instant::now();
            from.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&to), (Vec::new(), End::Fin));
            assert_on_time(began, millis(400));
            run.proxy.logged(&[
                "fault injected",
                "fault=latency",
                &format!("offset={}", u8::from(used)),
                "delay_us=400000",
            ]);
        }
    }
}

/// The client's upstream, the server's downstream.
#[test]
fn reset_of_an_idle_stream_is_delayed() {
    let is_delayed = |(stream, why), toxic: String, used| {
        let run = run(&[toxic]);
        let endpoints = run.endpoints(stream);
        if used {
            exchange(&endpoints);
        }
        // Until then, a reset of the client ends the dial.
        run.proxy.logged(&["upstream connected"]);
        let (from, to) = endpoints;
        let began = Instant::now();
        reset(from);
        assert_eq!(read_all(&to), (Vec::new(), End::Reset), "{stream} {used}");
        assert_on_time(began, millis(400));
        run.proxy.logged(&["connection closed", why]);
    };
    thread::scope(|scope| {
        for case in [("upstream", "why=\"client reset\""), ("downstream", "why=\"upstream reset\"")] {
            for toxic in [latency(case.0), latency("both")] {
                for used in [false, true] {
                    let toxic = toxic.clone();
                    scope.spawn(move || is_delayed(case, toxic, used));
                }
            }
        }
    });
}

/// An end that takes no delay in its own direction is not held up by that of the other one.
#[test]
fn end_is_not_delayed_by_the_other_direction() {
    for (stream, other) in [("upstream", "downstream"), ("downstream", "upstream")] {
        let run = run(&[toxic("latency", other, r#""latency": 3600000"#)]);
        let (from, to) = run.endpoints(stream);
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&to), (Vec::new(), End::Fin));
        reset(from);
        drop(to);
        run.proxy.logged(&["connection closed"]);
    }
}

/// A server closes an idle connection while the client sends a request: the race that clients of a keep-alive
/// connection have to survive. The request reaches a socket that is closed, so the server's kernel answers with a RST,
/// which comes after the FIN.
#[test]
fn request_crosses_the_fin_of_an_idle_server() {
    for toxics in [latency("downstream"), latency("both")] {
        let run = run(&[toxics]);
        let (client, server) = run.pair();
        exchange(&(server.try_clone().unwrap(), client.try_clone().unwrap()));
        let began = Instant::now();
        drop(server);
        (&client).write_all(b"request").unwrap();
        assert_eq!(read_all(&client), (Vec::new(), End::Fin));
        assert_on_time(began, millis(400));
        drop(client);
        run.proxy.logged(&["connection closed"]);
    }
}

/// A peer that finishes and then resets: what comes first is passed on first. The proxy is stopped meanwhile, so that
/// it finds both at once.
#[test]
fn fin_goes_before_a_reset_that_follows_it() {
    for stream in STREAMS {
        for toxics in [vec![], vec![latency(stream)], vec![latency("both")]] {
            let run = run(&toxics);
            let endpoints = run.endpoints(stream);
            exchange(&endpoints);
            let (mut from, to) = endpoints;
            run.proxy.signal(Signal::SIGSTOP);
            from.write_all(b"the last").unwrap();
            from.shutdown(Shutdown::Write).unwrap();
            wait_until_acknowledged(&from);
            reset(from);
            run.proxy.signal(Signal::SIGCONT);
            assert_eq!(read_all(&to), (b"the last".to_vec(), End::Fin), "{stream} {toxics:?}");
            run.proxy
                .logged(&["connection closed", if stream == "upstream" { "client reset" } else { "upstream reset" }]);
        }
    }
}
