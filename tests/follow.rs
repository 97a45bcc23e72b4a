//! Readers of the log, beside a stderr with a filter of its own. The logger belongs to the process, so each test runs
//! in a process of its own.
#![allow(clippy::unwrap_used)]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use chaos_proxy::http::{Limits, Piece, Response, Server, Status, Stream};
use chaos_proxy::logging::{self, FAULTS, Follower, LogFormat, LogLevel, LogOutput};
use log::{Level, LevelFilter, debug, error, info, log_enabled};

/// Longer than any line takes.
const HANGS: Duration = Duration::from_secs(30);

const CHILD: &str = "RUNS_ALONE";

/// Runs the test of this name in a process of its own. Its stderr has the log lines only: those of a failure are on
/// stdout.
#[track_caller]
fn alone(name: &str, test: impl FnOnce()) -> Option<Output> {
    if env::var_os(CHILD).is_some() {
        test();
        return None;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(output)
}

/// The lines up to and including the first that contains `last`.
fn lines_until(follower: &Follower, last: &str) -> Vec<String> {
    let (mut lines, deadline) = (String::new(), Instant::now() + HANGS);
    while !lines.contains(last) {
        assert!(Instant::now() < deadline, "{last} is missing: {lines}");
        let next = follower.next_lines(HANGS).unwrap();
        lines.push_str(str::from_utf8(&next).unwrap());
    }
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn stderr_logs_the_same_with_a_reader() {
    let test = || {
        let _log = logging::start(Some(LogLevel::Faults), LogFormat::Logfmt, LogOutput::Stderr).unwrap();
        info!("before");
        assert!(!log_enabled!(Level::Info));
        let first = logging::follow();
        assert!(log_enabled!(Level::Info) && log_enabled!(target: FAULTS, Level::Info));
        assert!(!log_enabled!(Level::Debug) && !log_enabled!(target: FAULTS, Level::Debug));
        let second = logging::follow();
        info!(n = 1; "for readers");
        debug!("for none");
        info!(target: FAULTS, "a fault");
        error!("an error");
        let lines = lines_until(&first, "an error");
        assert_eq!(lines_until(&second, "an error"), lines, "formatted once");
        let expected = [
            r#"","level":"info","msg":"for readers","n":1}"#,
            r#"","level":"info","msg":"a fault"}"#,
            r#"","level":"error","msg":"an error"}"#,
        ];
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(r#"{"time":"2"#) && line.ends_with(expected), "{line}");
        }
        drop((first, second));
        assert!(!log_enabled!(Level::Info) && log_enabled!(target: FAULTS, Level::Info));
    };
    let Some(output) = alone("stderr_logs_the_same_with_a_reader", test) else { return };
    let stderr = String::from_utf8(output.stderr).unwrap();
    let messages: Vec<_> = stderr.lines().filter_map(|line| line.split_once(" msg=")).map(|it| it.1).collect();
    assert_eq!(messages, [r#""a fault""#, r#""an error""#], "{stderr}");
}

#[test]
fn the_maximum_level_is_raised_for_readers_only() {
    let test = || {
        let _log = logging::start(Some(LogLevel::Error), LogFormat::Json, LogOutput::Stderr).unwrap();
        assert_eq!(log::max_level(), LevelFilter::Error);
        let followers = [logging::follow(), logging::follow()];
        for follower in followers {
            assert_eq!(log::max_level(), LevelFilter::Info);
            drop(follower);
        }
        assert_eq!(log::max_level(), LevelFilter::Error);
    };
    alone("the_maximum_level_is_raised_for_readers_only", test);
}

/// Every line is received or counted as lost, and the lines of a thread are in order.
#[test]
fn a_reader_accounts_for_the_lines_of_all_threads() {
    let test = || {
        let _log = logging::start(Some(LogLevel::Error), LogFormat::Logfmt, LogOutput::Stderr).unwrap();
        let follower = logging::follow();
        let writers: Vec<_> = (0..4).map(|thread| thread::spawn(move || log_often(thread))).collect();
        let reader = thread::spawn(move || account(&follower));
        for writer in writers {
            writer.join().unwrap();
        }
        // The first ones may find the queue full.
        for number in 0_u64.. {
            info!(number; "end");
            thread::sleep(Duration::from_millis(1));
            if reader.is_finished() {
                break;
            }
        }
        assert_eq!(reader.join().unwrap(), 4 * LINES);
        assert_eq!(logging::lost_lines(), 0, "stderr has lost none");
    };
    alone("a_reader_accounts_for_the_lines_of_all_threads", test);
}

const LINES: u64 = 5000;

fn log_often(thread: u64) {
    for number in 0..LINES {
        info!(thread, number; "line");
    }
}

/// The number of lines received and lost before the end. A lost end does not count.
fn account(follower: &Follower) -> u64 {
    let (mut total, mut next) = (0, [0; 4]);
    for line in lines_until(follower, "\"end\"") {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if line["msg"] == "end" {
            return total - line["number"].as_u64().unwrap();
        }
        let Some(thread) = line["thread"].as_u64() else {
            total += line["lost"].as_u64().unwrap();
            continue;
        };
        let (number, next) = (line["number"].as_u64().unwrap(), &mut next[usize::try_from(thread).unwrap()]);
        assert!(number >= *next, "{number} comes after {next}");
        *next = number + 1;
        total += 1;
    }
    unreachable!("the end is among the lines")
}

struct Events(Follower);

impl Stream for Events {
    fn next(&mut self, timeout: Duration) -> Piece {
        self.0.next_lines(timeout).map_or(Piece::Pending, Piece::Bytes)
    }
}

const LIMITS: Limits = Limits {
    connections: NonZeroUsize::new(2).unwrap(),
    streams: 1,
    replaceable_after: HANGS,
    head_bytes: 16 * 1024,
    header_lines: 100,
    body_bytes: 0,
    first_request: HANGS,
    next_request: HANGS,
    head: HANGS,
    stall: HANGS,
    linger: HANGS,
};

#[test]
fn an_http_client_follows_until_it_leaves() {
    let test = || {
        let _log = logging::start(Some(LogLevel::Error), LogFormat::Logfmt, LogOutput::Stderr).unwrap();
        let server = Server::bind("127.0.2.9:0".parse().unwrap()).unwrap();
        let addr = server.local_addr();
        let follow = |_| Response::stream(Status::Ok, "application/jsonl", Events(logging::follow()));
        server.serve(LIMITS, Response::text, follow).unwrap();
        let mut client = BufReader::new(TcpStream::connect(addr).unwrap());
        client.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut lines = client.lines().map(Result::unwrap);
        lines.find(String::is_empty).expect("the end of the head");
        info!("an event");
        let line = lines.nth(1).expect("a line after the size of its chunk");
        assert!(line.ends_with(r#""level":"info","msg":"an event"}"#), "{line}");
        drop(lines);
        let deadline = Instant::now() + HANGS;
        while log_enabled!(Level::Info) {
            assert!(Instant::now() < deadline, "it is still followed");
            thread::sleep(Duration::from_millis(1));
        }
    };
    alone("an_http_client_follows_until_it_leaves", test);
}
