//! `--explain`: what it says is what a run then does, for random routes.

mod config;
mod prediction;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use self::prediction::Prediction;
use crate::harness::{Proxy, StreamEnd, accept, has_no_connection, one_route, with_timeouts};

/// Fewer segments than are listed.
const LENGTH: usize = 12_000;

const CONNECTIONS: u64 = 6;

/// How long a silent stream is observed.
const SILENCE: Duration = Duration::from_millis(100);

/// What a busy machine may add to the delay of a stream.
const TOLERANCE: Duration = Duration::from_secs(8);

#[test]
fn a_run_does_what_is_explained() {
    // A failure may take 30 s, so it is not shrunk. It prints the route and the seed.
    let config =
        ProptestConfig { cases: 24, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() };
    let run = |(route, seed): (String, u64)| {
        compare(&route, seed);
        Ok(())
    };
    TestRunner::new(config).run(&(config::route(), any::<u64>()), run).unwrap();
}

/// Explains a route, then runs it. Panics if a connection has another fate.
fn compare(route: &str, seed: u64) {
    let setup = one_route(route).args(["--seed".to_owned(), seed.to_string()]);
    let upstream = setup.upstream();
    let proxy = setup.start();
    let explained = explain(&proxy, seed);
    let connections = explained["routes"][0]["connections"].as_array().unwrap();
    assert_eq!(connections.len() as u64, CONNECTIONS);
    for connection in connections {
        if let Some(mode) = connection.get("dropped") {
            assert_dropped(&proxy, mode.as_str().unwrap(), connection);
            assert!(has_no_connection(&upstream), "{connection}");
        } else {
            assert_forwarded(&proxy, &upstream, connection);
        }
    }
}

fn explain(proxy: &Proxy, seed: u64) -> Value {
    // The harness has written the config there.
    let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", proxy.ip));
    let (config, seed, count) = (config.display().to_string(), seed.to_string(), CONNECTIONS.to_string());
    // A client that connects to a loopback address without binding connects from the same address.
    let client = proxy.ip.to_string();
    let flags =
        ["--explain", "--json", "--config", &config, "--seed", &seed, "--connections", &count, "--client", &client];
    serde_json::from_slice(&chaos_proxy(&flags).stdout).unwrap()
}

fn chaos_proxy(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).args(args).output().unwrap()
}

fn assert_dropped(proxy: &Proxy, mode: &str, connection: &Value) {
    match mode {
        "close" => assert_eq!(proxy.end_of_silent_client(), StreamEnd::Fin(Vec::new()), "{connection}"),
        "reset" => assert_eq!(proxy.end_of_silent_client(), StreamEnd::Reset, "{connection}"),
        mode => {
            assert_eq!(mode, "hang");
            assert!(is_silent(&proxy.connect()), "{connection}");
        }
    }
}

fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Sends a stream in one direction, the other one for every second connection.
fn assert_forwarded(proxy: &Proxy, upstream: &TcpListener, connection: &Value) {
    let begun = Instant::now();
    let (client, server) = (with_timeouts(proxy.connect()), accept(upstream));
    let (stream, from, to) = if connection["number"].as_u64().unwrap().is_multiple_of(2) {
        ("upstream", client, server)
    } else {
        ("downstream", server, client)
    };
    let prediction = Prediction::new(connection, stream);
    if prediction.blocks() && prediction.deadline().is_none() {
        let _ = (&from).write_all(&sent());
        return assert!(is_silent(&to), "{connection}");
    }
    let received = transfer(from, &to, begun);
    received.assert_bytes(&prediction);
    received.assert_end(&prediction);
    received.assert_delays(&prediction);
}

fn sent() -> Vec<u8> {
    (0..=250).cycle().take(LENGTH).collect()
}

/// A stream as it arrived.
#[derive(Debug)]
struct Received {
    bytes: Vec<u8>,
    /// When each byte arrived, counted from before the connect.
    arrived: Vec<Duration>,
    /// When the sender wrote.
    written: Duration,
    ended: Duration,
    is_reset: bool,
}

/// Sends all in one write, so that no pause ends a segment.
fn transfer(mut from: TcpStream, mut to: &TcpStream, begun: Instant) -> Received {
    let written = begun.elapsed();
    let sender = thread::spawn(move || {
        // Both fail if a toxic has ended the connection.
        let _ = from.write_all(&sent());
        let _ = from.shutdown(Shutdown::Write);
        from
    });
    let (mut bytes, mut arrived, mut piece) = (Vec::new(), Vec::new(), [0; 4096]);
    let end = loop {
        match to.read(&mut piece) {
            Ok(0) => break None,
            Ok(length) => {
                bytes.extend(&piece[..length]);
                arrived.resize(bytes.len(), begun.elapsed());
            }
            Err(error) => break Some(error.kind()),
        }
    };
    let ended = begun.elapsed();
    drop(sender.join().unwrap());
    assert!(matches!(end, None | Some(ErrorKind::ConnectionReset)), "{end:?}");
    Received { bytes, arrived, written, ended, is_reset: end.is_some() }
}

impl Received {
    fn assert_bytes(&self, prediction: &Prediction<'_>) {
        let flips = prediction.flips(self.bytes.len());
        let found: Vec<u8> = self.bytes.iter().zip(sent()).zip(&flips).map(|((byte, sent), _)| byte ^ sent).collect();
        assert_eq!(found, flips);
        assert!(self.bytes.is_empty() || !prediction.blocks(), "{self:?}");
    }

    /// Before a deadline, a stream ends after all of its bytes, or at a limit.
    fn assert_end(&self, prediction: &Prediction<'_>) {
        let (length, is_reset) = match prediction.limit() {
            Some((limit, is_reset)) if limit <= LENGTH => (limit, is_reset),
            _ => (LENGTH, false),
        };
        let is_natural = self.bytes.len() == length && self.is_reset == is_reset;
        let by_deadline = prediction.deadline().is_some_and(|(at, resets)| {
            self.ended >= at && self.bytes.len() <= length && resets.contains(&self.is_reset)
        });
        let delay_of_end = if prediction.limit().is_some() { Duration::ZERO } else { prediction.delay_of_end() };
        assert!(by_deadline || is_natural && self.ended >= self.written + delay_of_end, "{self:?}");
    }

    fn assert_delays(&self, prediction: &Prediction<'_>) {
        let mut latest = Duration::ZERO;
        for (offset, arrived) in self.arrived.iter().enumerate() {
            let forwarded = self.written.max(prediction.latency) + prediction.delay(offset);
            let earliest = forwarded.max(prediction.released());
            assert!(*arrived >= earliest, "byte {offset} after {arrived:?}, not {earliest:?}");
            latest = latest.max(earliest);
        }
        let last = self.arrived.last().copied().unwrap_or_default();
        assert!(last < latest + TOLERANCE, "{last:?} instead of {latest:?}");
    }
}

#[test]
fn a_seed_is_needed_and_other_flags_need_explain() {
    let route = ["--listen", "8180", "--upstream", "127.0.0.1:9090"];
    for (flags, expected) in [
        (&["--explain"][..], "--explain needs a seed: give --seed N, or write \"seed\": N into the file"),
        (&["--client", "::1"], "--client needs --explain"),
        (&["--json"], "--json needs --explain"),
        (&["--explain", "--check"], "--check, --explain and --print-redirect exclude each other"),
        (&["--explain", "--connections", "0"], "--connections 0: use a whole number, 1 to 100000"),
        (&["--destination", "[::1]:80"], "--destination needs --explain"),
        (&["--explain", "--destination", "::1"], "--destination ::1: use IP:PORT, such as 10.0.0.7:5432 or [::1]:5432"),
        (&["--print-redirect", "pf"], "--print-redirect pf: "),
        (&["--proxy-user", "db"], "--proxy-user needs --print-redirect"),
        (&["--print-redirect", "nft", "--proxy-user", "a b"], "--proxy-user a b: use the name or the number of a user"),
        (&["--print-redirect", "nft"], "nothing is redirected: no enabled route has \"upstream\": \"original\""),
        (&["--explain", "--client", "db"], "--client db: use an IP address, such as 10.0.0.7 or ::1"),
    ] {
        let output = chaos_proxy(&[&route[..], flags].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(expected), "{errors}");
    }
}

#[test]
fn a_destination_decides_which_toxics_act() {
    let explained = |flags: &[&str]| {
        let file = ["--explain", "--config", "configs/valid/interception.json", "--seed", "2", "--connections", "1"];
        String::from_utf8(chaos_proxy(&[&file, flags].concat()).stdout).unwrap()
    };
    let unknown = explained(&[]);
    assert!(!unknown.contains("slow database") && unknown.contains("Where connections go is unknown"), "{unknown}");
    let database = explained(&["--destination", "10.0.0.7:5432"]);
    assert!(database.contains("slow database") && !database.contains("no metadata"), "{database}");
    assert!(explained(&["--destination", "169.254.169.254:80"]).contains("no metadata"));
}

#[test]
fn the_text_fits_100_columns_and_names_what_acts() {
    for config in ["toxics.json", "profiles.json", "every_key.json", "multiple_routes.json"] {
        let config = format!("configs/valid/{config}");
        let output = chaos_proxy(&["--explain", "--config", &config, "--seed", "2"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.starts_with("seed 2\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
