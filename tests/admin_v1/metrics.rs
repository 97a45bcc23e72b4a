//! The metrics: their format, and that they count while streams live.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Write, stderr};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::harness::{End, OneRoute, PORT, passes, read_to_end};
use crate::proxy::{toxic, toxics};
use crate::server::{ask, get, serve, until};

/// The samples by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
    lines.map(|line| sample(line).unwrap()).collect()
}

/// The proxy counts bytes after it has sent them, so a receiver may have them earlier.
#[track_caller]
fn await_sample(addr: SocketAddr, name: &str, expected: f64) {
    until(|| samples(&get(addr, "/metrics")).get(name) == Some(&expected));
}

/// A route with a name that must be escaped, and with some history.
fn busy() -> (OneRoute, SocketAddr) {
    let run = OneRoute::new(&[toxic("latency", "both", r#""latency": 1"#)]);
    let addr = serve(&run.proxy);
    let pair = run.pair();
    assert!(pair.forwards());
    drop(pair.client);
    assert_eq!(read_to_end(&pair.server), End::Fin(Vec::new()));
    let odd = run.proxy.route("x", 8190, "").replace(r#""name": "x", "#, "");
    assert_eq!(ask(addr, "PUT", "/v1/routes/a%22b%5C%20%C3%A9", &odd).status, 201);
    (run, addr)
}

#[test]
fn counters_move_while_a_stream_is_live() {
    let run = OneRoute::new(&[]);
    let addr = serve(&run.proxy);
    let pair = run.pair();
    for round in 1..=3 {
        assert!(passes(&pair.client, &pair.server, b"request") && passes(&pair.server, &pair.client, b"answer!!"));
        let sent = f64::from(round);
        await_sample(addr, r#"chaos_proxy_sent_bytes_total{route="r",direction="upstream"}"#, 7.0 * sent);
        await_sample(addr, r#"chaos_proxy_received_bytes_total{route="r",direction="downstream"}"#, 8.0 * sent);
    }
    let toxiproxys = format!(
        r#"toxiproxy_proxy_sent_bytes_total{{direction="upstream",listener="{ip}:{PORT}",proxy="r",upstream="{ip}:9090"}}"#,
        ip = run.proxy.ip
    );
    await_sample(addr, &toxiproxys, 21.0);
    await_sample(addr, r#"chaos_proxy_connections_active{route="r"}"#, 1.0);
    await_sample(addr, r#"chaos_proxy_dial_duration_seconds_count{route="r"}"#, 1.0);
}

#[test]
fn acts_of_toxics_and_reasons_are_counted() {
    let run = OneRoute::new(&[]);
    let addr = serve(&run.proxy);
    let pair = run.pair();
    let limited = run.proxy.route("r", PORT, &toxics(&[toxic("limit_data", "upstream", r#""bytes": 3"#)]));
    assert_eq!(ask(addr, "PUT", "/v1/routes/r", &limited).status, 200);
    (&pair.client).write_all(b"12345").unwrap();
    assert_eq!(read_to_end(&pair.server), End::Fin(b"123".to_vec()));
    drop(pair);
    until(|| get(addr, "/metrics").contains(r#"connections_active{route="r"} 0"#));
    await_sample(addr, r#"chaos_proxy_toxic_acts_total{route="r",toxic="limit_data_upstream",type="limit_data"}"#, 1.0);
    await_sample(addr, r#"chaos_proxy_connections_closed_total{route="r",reason="closed by a toxic"}"#, 1.0);
    await_sample(addr, r#"chaos_proxy_connection_duration_seconds_count{route="r"}"#, 1.0);
    await_sample(addr, r#"chaos_proxy_reloads_total{result="success"}"#, 0.0);
}

#[test]
fn each_family_is_described_once_before_its_samples() {
    let (_run, addr) = busy();
    let answer = ask(addr, "GET", "/metrics", "");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let (mut family, mut seen) = (("", ""), BTreeSet::new());
    for line in answer.text().lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", name, ..] => assert!(seen.insert(name), "{name} begins again"),
            ["#", "TYPE", name, kind] => family = (name, kind),
            _ => assert_sample_of(family, line),
        }
    }
    assert!(seen.iter().all(|name| name.starts_with("chaos_proxy_") || name.starts_with("toxiproxy_proxy_")));
    assert!(answer.text().contains(r#"chaos_proxy_connections_active{route="a\"b\\ é"} 0"#), "{}", answer.text());
}

#[test]
fn every_metric_is_documented() {
    let (_run, addr) = busy();
    let (text, reference) = (get(addr, "/metrics"), fs::read_to_string("configs/README.md").unwrap());
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<&str> = names.filter(|name| !reference.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "configs/README.md does not describe {missing:?}");
}

#[track_caller]
fn assert_sample_of((family, kind): (&str, &str), line: &str) {
    let name = line.split(['{', ' ']).next().unwrap();
    match kind {
        "counter" => assert!(name == family && name.ends_with("_total"), "{line}"),
        "gauge" => assert!(name == family && !name.ends_with("_total"), "{line}"),
        _ => {
            let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line}"));
            assert!(family.ends_with("_seconds") && ["_bucket", "_sum", "_count"].contains(&suffix), "{line}");
        }
    }
}

#[test]
fn buckets_are_cumulative_up_to_infinity() {
    let (_run, addr) = busy();
    let text = get(addr, "/metrics");
    let begin = r#"chaos_proxy_dial_duration_seconds_bucket{route="r",le=""#;
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(begin)?.split_once("\"} ")?;
        Some((bound.parse::<f64>().unwrap(), count.parse::<u64>().unwrap()))
    };
    let buckets: Vec<(f64, u64)> = text.lines().filter_map(bucket).collect();
    assert!(buckets.len() > 10 && buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
}

#[test]
fn promtool_accepts_the_metrics() {
    let (_run, addr) = busy();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        // The test harness captures the print macros, and shows their output only for failed tests.
        let line = "skipped: promtool is not installed, see tests/install-clients\n";
        return stderr().write_all(line.as_bytes()).unwrap();
    };
    promtool.stdin.take().unwrap().write_all(get(addr, "/metrics").as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
}
