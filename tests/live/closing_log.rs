//! The closing event of a connection, as it is logged.

use std::fmt::Write;
use std::sync::{Condvar, Mutex, Once};

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

use crate::harness::{End, OneRoute, TIMEOUT, passes, read_to_end};
use crate::proxy::toxic;

/// Keeps what is logged when connections close, each as `key=value` pairs.
static CLOSED: Closed = Closed { lines: Mutex::new(Vec::new()), grown: Condvar::new() };

struct Closed {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log for Closed {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.args().to_string() == "connection closed" {
            let mut line = Line(String::new());
            record.key_values().visit(&mut line).unwrap();
            self.lines.lock().unwrap().push(line.0);
            self.grown.notify_all();
        }
    }

    fn flush(&self) {}
}

struct Line(String);

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        write!(self.0, "{key}={value} ").map_err(Error::from)
    }
}

fn keep_log() {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&CLOSED).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
}

/// Waits for the line that contains `part`.
fn closed(part: &str) -> String {
    let find = |lines: &[String]| lines.iter().find(|line| line.contains(part)).cloned();
    let lines = CLOSED.lines.lock().unwrap();
    let (lines, _) = CLOSED.grown.wait_timeout_while(lines, TIMEOUT, |lines| find(lines).is_none()).unwrap();
    find(&lines).unwrap_or_else(|| panic!("no {part} in {lines:?}"))
}

/// Both sums of a toxic that was there twice, and those of one that is still there.
#[test]
fn sums_of_removed_toxics_are_logged() {
    keep_log();
    let run = OneRoute::new(&[]);
    let live = run.pair();
    let latency = toxic("latency", "both", r#""latency": 1"#);
    let slicer = toxic("slicer", "upstream", r#""average_size": 1"#);
    for toxics in [&[latency.clone()][..], &[], &[latency], &[slicer]] {
        run.set(toxics);
        assert!(passes(&live.client, &live.server, b"12"));
    }
    let client = format!("client={} ", live.client.local_addr().unwrap());
    drop(live.client);
    assert_eq!(read_to_end(&live.server), End::Fin(Vec::new()));
    drop(live.server);
    let closed = closed(&client);
    assert!(closed.contains("toxics=latency_both=2,1000us slicer_upstream="), "{closed}");
}
