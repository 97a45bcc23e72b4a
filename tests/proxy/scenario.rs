//! Scenarios of the real binary: what steps do to connections, when they are made, and what ends them. Which change comes
//! when is tested in `plan::scenario`.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{
    Proxy, Setup, StreamEnd, accept, echoes, forwarding_pair, is_immediate, one_route, read_to_end, serve_echo,
};

fn scenario(steps: &[&str]) -> String {
    format!("\"scenario\": [{}]", steps.join(", "))
}

fn with_steps(keys: &str, steps: &[&str]) -> Setup {
    one_route(keys).file_key(&scenario(steps))
}

/// The value of a field of a log line.
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    let start = line.find(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    let value = &line[start + name.len() + 2..];
    value.strip_prefix('"').map_or_else(|| value.split(' ').next().unwrap(), |rest| rest.split('"').next().unwrap())
}

/// A busy machine may delay single steps; the median is late if steps are late by design.
#[test]
fn steps_are_made_in_time() {
    let started = Instant::now();
    let steps: Vec<String> =
        (1..=21).map(|step| format!(r#"{{"at": "{}ms", "set": {{"latencyMs": {step}}}}}"#, step * 50)).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let mut proxy = with_steps("", &steps).start();
    proxy.logged(&["scenario step", "what=\"set latencyMs 21\""]);
    assert!(started.elapsed() >= Duration::from_millis(21 * 50), "{:?}", started.elapsed());
    let lines = proxy.lines(&["scenario step"]);
    let made: Vec<&str> = lines.iter().map(|line| field(line, "what")).collect();
    assert_eq!(made, (1..=21).map(|step| format!("set latencyMs {step}")).collect::<Vec<_>>());
    let mut late: Vec<u64> = lines.iter().map(|line| field(line, "late_us").parse().unwrap()).collect();
    late.sort_unstable();
    assert!(late[10] < 10_000, "{late:?}");
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn down_ends_connections_and_closes_the_port() {
    let setup = with_steps("", &[r#"{"at": "3s", "route": "8180", "down": true}"#]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (client, server) = forwarding_pair(&proxy, &upstream);
    assert_eq!([&client, &server].map(read_to_end), [StreamEnd::Fin(Vec::new()), StreamEnd::Fin(Vec::new())]);
    proxy.logged(&["scenario step", "at=3s route=8180 what=down round=1"]);
    assert_eq!(TcpStream::connect(proxy.addr(8180)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn up_opens_the_port() {
    let setup = with_steps(r#""enabled": false"#, &[r#"{"at": "300ms", "up": true}"#]);
    serve_echo(setup.upstream());
    let mut proxy = setup.start();
    proxy.logged(&["scenario step", "route=* what=up"]);
    assert!(echoes(&proxy.connect(), b"hello"));
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn up_on_a_port_that_another_process_has_is_logged_as_failed() {
    let setup = with_steps(r#""enabled": false"#, &[r#"{"at": "100ms", "up": true}"#]);
    let _taken = TcpListener::bind((setup.ip(), 8180)).unwrap();
    let mut proxy = setup.start();
    proxy.logged(&["level=warn msg=\"scenario step failed\" at=100ms route=* what=up", "can't listen on"]);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn cut_ends_the_connections_of_the_moment() {
    for (mode, end) in [("reset", StreamEnd::Reset), ("close", StreamEnd::Fin(Vec::new()))] {
        let setup = with_steps("", &[&format!(r#"{{"at": "2s", "cut": "{mode}"}}"#)]);
        let upstream = setup.upstream();
        let mut proxy = setup.start();
        let (client, server) = forwarding_pair(&proxy, &upstream);
        assert_eq!(read_to_end(&client), end);
        assert_eq!(read_to_end(&server), end);
        drop(forwarding_pair(&proxy, &upstream));
        assert_eq!(proxy.stop(), 0);
    }
}

/// The old and the new value of each change of a number, as the debug log has them.
fn moves(proxy: &Proxy, name: &str) -> Vec<(u32, u32)> {
    let lines = proxy.lines(&["route changed", "by=scenario", &format!("{name} ")]);
    let values = |line: &String| {
        let change = field(line, "change");
        let (old, new) = change[change.find(name).unwrap() + name.len()..].split_once("->").unwrap();
        (old.trim().parse().unwrap(), new.trim().parse().unwrap())
    };
    lines.iter().map(values).collect()
}

/// 10 moves in 1 s, fewer if the machine is busy.
#[test]
fn a_ramp_moves_the_latency_of_new_connections() {
    let setup =
        with_steps("", &[r#"{"at": "100ms", "ramp": "1s", "set": {"latencyMs": 400}}"#]).args(["--log", "debug"]);
    serve_echo(setup.upstream());
    let mut proxy = setup.start();
    proxy.logged(&["ramp ended", "at=1100ms route=* what=\"ramp to latencyMs 400 in 1s\""]);
    let moves = moves(&proxy, "latencyMs");
    assert!((2..=10).contains(&moves.len()), "{moves:?}");
    assert!(moves.windows(2).all(|pair| pair[0].1 == pair[1].0), "{moves:?}");
    assert!(moves.iter().all(|(old, new)| old < new && new % 40 == 0), "{moves:?}");
    assert_eq!((moves[0].0, moves[moves.len() - 1].1), (0, 400));
    let connected = Instant::now();
    assert!(echoes(&proxy.connect(), b"hello"));
    assert!(connected.elapsed() >= Duration::from_millis(400));
    assert_eq!(proxy.stop(), 0);
}

const RAMP: Duration = Duration::from_secs(5);
const HIGHEST_MS: u64 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// A byte that is held when the latency rises is due later: one that arrives `t` after the begin leaves after a delay `d` of
/// the latency at `t + d`. Here `d = (t + d) / 10`, so the delay is `t / 9`, up to the highest. The medians of each second
/// leave out single bytes that a busy machine has delayed.
#[test]
fn a_ramp_of_a_toxic_delays_a_steady_stream_ever_more() {
    let toxics = r#""toxics": [{"type": "latency", "attributes": {"latency": 0}}]"#;
    let step = r#"{"at": "1s", "ramp": "5s", "set": {"toxics": {"latency_downstream": {"latency": 500}}}}"#;
    let setup = with_steps(toxics, &[step]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (mut client, server) = forwarding_pair(&proxy, &upstream);
    proxy.logged(&["scenario step", "what=\"ramp to latency_downstream.latency 500 in 5s\""]);
    let began = Instant::now();
    let sending = thread::spawn(move || send_steadily(server));
    let mut received = Vec::new();
    let mut byte = [0];
    while client.read(&mut byte).unwrap() == 1 {
        received.push((byte[0], Instant::now()));
    }
    drop(client);
    let sent = sending.join().unwrap();
    assert_eq!(received.iter().map(|it| it.0).collect::<Vec<_>>(), sent.iter().map(|it| it.0).collect::<Vec<_>>());
    let mut delays: [Vec<Duration>; 5] = Default::default();
    for ((_, sent), (_, received)) in sent.iter().zip(&received) {
        let second = usize::try_from((*sent - began).as_secs()).unwrap();
        delays[second.min(4)].push(*received - *sent);
    }
    let medians = delays.map(|mut delays| {
        delays.sort_unstable();
        u64::try_from(delays[delays.len() / 2].as_millis()).unwrap()
    });
    let expected = [0, 1, 2, 3, 4].map(|second| ((second * 1000 + 500) / 9).min(HIGHEST_MS));
    assert!(medians.is_sorted(), "{medians:?}");
    // Each of the 50 versions of the toxic counts on: the first act is logged once.
    let firsts = proxy.lines(&["fault injected"]).into_iter().filter(|line| line.ends_with(" times=1"));
    assert_eq!(firsts.count(), 1, "{}", proxy.log_text());
    assert!(medians.iter().zip(expected).all(|(median, expected)| median.abs_diff(expected) < 40), "{medians:?}");
    assert_eq!(proxy.stop(), 0);
}

/// Sends numbered bytes until the ramp is over. The pause is the input of the test.
fn send_steadily(mut server: TcpStream) -> Vec<(u8, Instant)> {
    let began = Instant::now();
    let mut sent = Vec::new();
    for number in (0..=u8::MAX).cycle() {
        if began.elapsed() >= RAMP {
            break;
        }
        sent.push((number, Instant::now()));
        server.write_all(&[number]).unwrap();
        thread::sleep(PAUSE);
    }
    sent
}

#[test]
fn original_restores_what_the_file_has() {
    let toxics = r#""dropRate": 0.1, "toxics": [{"type": "latency", "attributes": {"latency": 5}}]"#;
    let set = r#""dropRate": 1, "dropMode": "hang", "toxics": {"latency_downstream": {"latency": 9, "toxicity": 0.5}}"#;
    let set = format!(r#"{{"at": "100ms", "set": {{{set}}}}}"#);
    let steps = [&*set, r#"{"at": "100ms", "down": true}"#, r#"{"at": "300ms", "route": "8180", "set": "original"}"#];
    let mut proxy = with_steps(toxics, &steps).args(["--log", "debug"]).start();
    proxy.logged(&["scenario step", "route=8180 what=\"set original\""]);
    let restored = "change=\"dropMode hang -> close; dropRate 1.0 -> 0.1; enabled false -> true; \
                    toxics: ~ latency_downstream latency 9 -> 5; toxics: ~ latency_downstream toxicity 0.5 -> 1.0\"";
    proxy.logged(&["route changed", restored, "by=scenario"]);
    drop(proxy.connect());
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_scenario_is_repeated() {
    let steps = r#"{"at": "0s", "set": {"latencyMs": 1}}, {"at": "50ms", "set": {"latencyMs": 2}}"#;
    let repeated = format!(r#""scenario": {{"repeat": "100ms", "steps": [{steps}]}}"#);
    let mut proxy = one_route("").file_key(&repeated).start();
    proxy.logged(&["scenario step", "what=\"set latencyMs 2\" round=3"]);
    let made = proxy.lines(&["scenario step"]);
    let rounds: Vec<&str> = made.iter().take(6).map(|line| field(line, "round")).collect();
    assert_eq!(rounds, ["1", "1", "2", "2", "3", "3"]);
    assert_eq!(proxy.stop(), 0);
}

/// Rewrites the config file of a proxy with one route.
fn rewrite(proxy: &Proxy, keys: &str, scenario: &str) {
    let (ip, directory) = (proxy.ip, PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    let route = format!(r#"{{"localPort": 8180, "bind": "{ip}", "upstream": "{ip}:9090"{keys}}}"#);
    fs::write(directory.join(format!("{ip}.json")), format!(r#"{{"routes": [{route}]{scenario}}}"#)).unwrap();
    proxy.signal(Signal::SIGHUP);
}

#[test]
fn a_reload_with_the_same_scenario_keeps_what_it_has_set() {
    let steps = [r#"{"at": "0s", "set": {"latencyMs": 5}}"#, r#"{"at": "1h", "set": "original"}"#];
    let mut proxy = with_steps("", &steps).start();
    proxy.logged(&["scenario step", "what=\"set latencyMs 5\""]);
    rewrite(&proxy, r#", "dropRate": 0.5"#, &format!(", {}", scenario(&steps)));
    proxy.logged(&["route changed", "change=\"dropRate 0.0 -> 0.5\" by=sighup"]);
    proxy.logged(&["config reloaded", "changes=1"]);
    assert!(proxy.lines(&["scenario begins"]).is_empty());
    assert_eq!(proxy.lines(&["scenario step"]).len(), 1);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_reload_with_another_scenario_begins_that_one() {
    let mut proxy = with_steps("", &[r#"{"at": "0s", "set": {"latencyMs": 5}}"#]).start();
    proxy.logged(&["scenario step", "what=\"set latencyMs 5\""]);
    rewrite(&proxy, "", &format!(", {}", scenario(&[r#"{"at": "0s", "set": {"latencyMs": 6}}"#])));
    proxy.logged(&["route changed", "change=\"latencyMs 5 -> 0\" by=sighup"]);
    proxy.logged(&["msg=\"scenario begins\" by=sighup steps=1"]);
    proxy.logged(&["scenario step", "what=\"set latencyMs 6\" round=1"]);
    rewrite(&proxy, "", "");
    proxy.logged(&["msg=\"scenario ended\" by=sighup"]);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_reload_can_bring_the_first_scenario() {
    let mut proxy = one_route("").start();
    rewrite(&proxy, "", &format!(", {}", scenario(&[r#"{"at": "10ms", "set": {"latencyMs": 6}}"#])));
    proxy.logged(&["scenario step", "what=\"set latencyMs 6\""]);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn the_drain_ends_a_scenario_at_once() {
    assert!(is_immediate(|| {
        let steps = [r#"{"at": "0s", "ramp": "1h", "set": {"dropRate": 1}}"#, r#"{"at": "2h", "set": "original"}"#];
        let mut proxy = with_steps("", &steps).start();
        proxy.logged(&["scenario step", "what=\"ramp to dropRate 1.0 in 1h\""]);
        let asked = Instant::now();
        assert_eq!(proxy.stop(), 0);
        assert!(proxy.lines(&["scenario step failed"]).is_empty());
        asked.elapsed()
    }));
}

/// The connection lives through the drain, in which no step is made.
#[test]
fn no_step_is_made_during_a_drain() {
    let setup = with_steps("", &[r#"{"at": "3s", "cut": "reset"}"#]);
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (mut client, server) = forwarding_pair(&proxy, &upstream);
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&["draining"]);
    // Until after the time of the step.
    thread::sleep(Duration::from_millis(3200));
    client.write_all(b"still here").unwrap();
    drop(client);
    assert_eq!(read_to_end(&server), StreamEnd::Fin(b"still here".to_vec()));
    drop(server);
    assert_eq!(proxy.wait(), 0);
    assert!(proxy.lines(&["scenario step"]).is_empty());
}

#[test]
fn other_routes_are_left_alone() {
    let setup = with_steps("", &[r#"{"at": "0s", "route": "8180", "down": true}"#]).route(8181, 9090, "");
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    proxy.logged(&["scenario step", "what=down"]);
    let (client, server) = (proxy.connect_to(8181), accept(&upstream));
    drop((client, server));
    assert_eq!(proxy.stop(), 0);
}

/// With the first file nothing would move before the end of the ramp.
#[test]
fn a_ramp_moves_from_the_values_of_a_file_that_is_reloaded() {
    let steps = [r#"{"at": "0s", "ramp": "1h", "set": {"latencyMs": 400000}}"#];
    let mut proxy = with_steps(r#""latencyMs": 400000"#, &steps).args(["--log", "debug"]).start();
    proxy.logged(&["scenario step", "what=\"ramp to"]);
    rewrite(&proxy, "", &format!(", {}", scenario(&steps)));
    proxy.logged(&["config reloaded"]);
    proxy.logged(&["route changed", "by=scenario", "latencyMs "]);
    assert_eq!(proxy.stop(), 0);
}
