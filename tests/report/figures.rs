//! The figures of the report: counts are exact, times lie within their bounds.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::harness::{StreamEnd, read_to_end};
use super::{NO_KEYS, start};

/// A bucket is 1/32 of its bound wide, so its middle is at most 1/64 from the exact value.
const PRECISION: f64 = 1.0 / 64.0;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn counts_are_exact() {
    let mut run = start("r.json", NO_KEYS, "", &[]);
    run.echo(5);
    assert_eq!(run.proxy.stop(), 0);
    let report = run.json();
    let route = &report["routes"]["db"];
    for (key, value) in [
        ("accepted", 5),
        ("dropped", 0),
        ("failedDials", 0),
        ("resets", 0),
        ("cuts", 0),
        ("faults", 0),
        ("bytesUp", 5000),
        ("bytesDown", 5000),
    ] {
        assert_eq!(route[key], value, "{key} in {report:#}");
    }
    assert_eq!((&route["closeReasons"], &route["toxics"]), (&json!({ "client closed": 5 }), &json!({})));
    for time in ["dialMs", "firstByteMs", "connectionMs"] {
        assert_eq!(route[time]["count"], 5, "{time}");
    }
    assert_eq!(route["delayAskedMs"], json!({ "count": 0, "p50": null, "p90": null, "p99": null, "max": null }));
    assert_eq!((&report["seed"], &report["verdict"], &report["command"]), (&json!(5), &json!("pass"), &Value::Null));
}

/// The delay asked for is the same for each write, so that every percentile is the middle of its bucket. What is
/// measured is never less, and the first byte comes after it.
#[test]
fn delays_are_reported_as_asked_and_as_measured() {
    let toxic = r#""toxics": [{"type": "latency", "name": "slow", "attributes": {"latency": 50}}]"#;
    let mut run = start("r.json", toxic, "", &[]);
    let began = Instant::now();
    run.echo(4);
    let lasted = began.elapsed().as_secs_f64() * 1e3;
    assert_eq!(run.proxy.stop(), 0);
    let route = &run.json()["routes"]["db"];
    let toxic = &route["toxics"]["slow"];
    assert_eq!((&toxic["type"], &toxic["connections"]), (&json!("latency"), &json!(4)));
    assert_eq!(toxic["longestDelayMs"], 50.0);
    let writes = number(&route["delayAskedMs"]["count"]);
    assert!(writes >= 4.0 && route["delayMeasuredMs"]["count"] == writes, "{route:#}");
    for rank in ["p50", "p90", "p99", "max"] {
        let figure = |time: &str| number(&route[time][rank]);
        assert!((figure("delayAskedMs") - 50.0).abs() <= 50.0 * PRECISION, "{route:#}");
        for time in ["delayMeasuredMs", "firstByteMs", "connectionMs"] {
            let bounds = 50.0 * (1.0 - PRECISION)..=lasted * (1.0 + PRECISION);
            assert!(bounds.contains(&figure(time)), "{time} {rank}: {route:#}");
        }
    }
    assert_eq!(route["delayAskedMs"]["max"], 50.0);
}

#[test]
fn each_toxic_counts_the_connections_it_acted_on() {
    let toxics = r#""toxics": [
        {"type": "corrupt", "name": "all", "connections": "2-3", "stream": "upstream", "attributes": {"rate": 1.0}},
        {"type": "limit_data", "name": "short", "connections": "4", "attributes": {"bytes": 10}}]"#;
    let mut run = start("r.json", toxics, "", &[]);
    for _ in 0..4 {
        let mut client = run.proxy.connect();
        client.write_all(&[7; 100]).unwrap();
        client.read_exact(&mut [0; 10]).unwrap();
    }
    run.proxy.logged(&["connection closed", "conn=4 "]);
    run.proxy.stop();
    let route = &run.json()["routes"]["db"];
    let all = json!({ "type": "corrupt", "connections": 2, "times": 200, "bytes": 200 });
    assert_eq!(route["toxics"]["all"], all);
    assert_eq!((&route["toxics"]["short"]["connections"], &route["toxics"]["short"]["times"]), (&json!(1), &json!(1)));
    assert_eq!(route["faults"], 201);
}

#[test]
fn a_delayed_connection_is_a_fault_as_in_the_log() {
    let mut run = start("r.json", r#""latencyMs": 300"#, "", &[]);
    let mut client = run.proxy.connect();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    run.proxy.logged(&["fault injected", "fault=latency"]);
    drop(client);
    assert_eq!(run.proxy.stop(), 0);
    assert_eq!(run.json()["routes"]["db"]["faults"], 1);
}

#[test]
fn drops_and_failed_dials_and_resets_are_counted() {
    let mut run = start("r.json", r#""dropRate": 1.0"#, "", &[]);
    for number in 1..=3 {
        assert_eq!(read_to_end(&run.proxy.connect()), StreamEnd::Fin(Vec::new()));
        run.proxy.logged(&["connection closed", &format!("conn={number} ")]);
    }
    assert_eq!(run.proxy.stop(), 0);
    let route = &run.json()["routes"]["db"];
    assert_eq!((&route["dropped"], &route["faults"], &route["failedDials"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(route["closeReasons"], json!({ "dropped": 3 }));
    assert_eq!(route["firstByteMs"]["count"], 0);

    let reset = r#""toxics": [{"type": "reset_peer", "attributes": {"timeout": 1}}]"#;
    let mut run = start("r.json", reset, "", &[]);
    assert_eq!(read_to_end(&run.proxy.connect()), StreamEnd::Reset);
    run.proxy.logged(&["connection closed"]);
    assert_eq!(run.proxy.stop(), 0);
    assert_eq!(run.json()["routes"]["db"]["resets"], 1);
}

/// Connections that are open at the end are in the report too.
#[test]
fn a_report_is_written_after_a_second_signal() {
    let mut run = start("r.json", NO_KEYS, "", &[]);
    let mut client = run.proxy.connect();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    run.proxy.signal(Signal::SIGINT);
    run.proxy.logged(&["draining"]);
    run.proxy.signal(Signal::SIGTERM);
    assert_eq!(run.proxy.wait(), 143);
    let route = &run.json()["routes"]["db"];
    assert_eq!((&route["cuts"], &route["bytesDown"]), (&json!(1), &json!(5)));
    assert!(number(&route["connectionMs"]["max"]) >= 20.0);
}
