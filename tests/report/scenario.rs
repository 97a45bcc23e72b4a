//! The steps of a scenario, and changes by requests, in the report.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::harness::{Proxy, one_route, serve_echo};
use super::path;

const SLOW: &str = r#""toxics": [{"type": "latency", "name": "slow", "attributes": {"latency": 0}}]"#;

/// Starts a run with one route and an admin server. Also returns the path of its report.
fn start(steps: &str) -> (Proxy, std::path::PathBuf) {
    let setup = one_route(SLOW).file_key(&format!("\"scenario\": [{steps}]"));
    let ip = setup.ip();
    let report = path(ip, "scenario.json");
    let proxy = setup.args(["--admin", &format!("{ip}:8474"), "--report", report.to_str().unwrap()]).start();
    (proxy, report)
}

fn ask(proxy: &Proxy, method: &str, target: &str, body: &str) {
    let mut server = TcpStream::connect(proxy.addr(8474)).unwrap();
    let (ip, length) = (proxy.ip, body.len());
    write!(
        server,
        "{method} {target} HTTP/1.1\r\nHost: {ip}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

fn steps(report: &std::path::Path) -> Vec<Value> {
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    report["scenario"].as_array().unwrap().clone()
}

#[test]
fn steps_are_reported_with_their_times() {
    let (mut proxy, report) = start(r#"{"at": "20ms", "set": {"latencyMs": 5}}, {"at": "40ms", "cut": "reset"}"#);
    proxy.logged(&["scenario step", "what=\"cut reset\""]);
    assert_eq!(proxy.stop(), 0);
    let steps = steps(&report);
    let times: Vec<f64> = steps.iter().map(|step| step["ranAtMs"].as_f64().unwrap()).collect();
    assert!(times[0] >= 20.0 && times[1] >= 40.0, "{times:?}");
    let texts: Vec<_> = steps.iter().map(|step| (&step["at"], &step["step"])).collect();
    let expected = [(json!("20ms"), json!("*: set latencyMs 5")), (json!("40ms"), json!("*: cut reset"))];
    assert_eq!(texts, expected.iter().map(|(at, step)| (at, step)).collect::<Vec<_>>());
}

/// The ramp begins without a problem, and its toxic is removed on the way.
#[test]
fn a_ramp_that_fails_is_reported_as_failed() {
    let (mut proxy, report) = start(r#"{"at": "0s", "ramp": "3s", "set": {"toxics": {"slow": {"latency": 100}}}}"#);
    proxy.logged(&["scenario step", "what=\"ramp to"]);
    ask(&proxy, "DELETE", "/proxies/8180/toxics/slow", "");
    proxy.logged(&["scenario step failed", "it has no toxic `slow`"]);
    assert_eq!(proxy.stop(), 0);
    let steps = steps(&report);
    let expected = "*: ramp to slow.latency 100 in 3s, failed: route `8180`: it has no toxic `slow`";
    assert_eq!((steps.len(), &steps[0]["step"]), (1, &json!(expected)));
}

/// The keys of a JSON object must differ: a parser would keep only one of two.
#[test]
fn toxics_of_the_same_name_have_their_type_in_the_key() {
    let setup = one_route(r#""toxics": [{"type": "corrupt", "name": "bad", "attributes": {"rate": 1}}]"#);
    let ip = setup.ip();
    let report = path(ip, "toxics.json");
    serve_echo(setup.upstream());
    let mut proxy = setup.args(["--admin", &format!("{ip}:8474"), "--report", report.to_str().unwrap()]).start();
    ask_for(&proxy, 10);
    ask(&proxy, "DELETE", "/proxies/8180/toxics/bad", "");
    let body = r#"{"name": "bad", "type": "limit_data", "attributes": {"bytes": 10}}"#;
    ask(&proxy, "POST", "/proxies/8180/toxics", body);
    ask_for(&proxy, 10);
    proxy.logged(&["connection closed", "conn=2 "]);
    assert_eq!(proxy.stop(), 0);
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let toxics = report["routes"]["8180"]["toxics"].as_object().unwrap();
    assert_eq!(toxics.keys().collect::<Vec<_>>(), ["bad (corrupt)", "bad (limit_data)"]);
}

/// Sends this number of bytes, and receives as many.
fn ask_for(proxy: &Proxy, bytes: usize) {
    let mut client = proxy.connect();
    client.write_all(&vec![0; bytes]).unwrap();
    client.read_exact(&mut vec![0; bytes]).unwrap();
}
