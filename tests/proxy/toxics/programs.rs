//! Two real programs through toxics, and what their users would see: curl, and Python's HTTP client on one connection.
//! A program that the machine lacks is skipped, and the reason is printed. The server is `--test-server`.

use std::io::{ErrorKind, Write, stderr};
use std::process::{Command, Output};

use super::{HOUR, route, toxic, toxic_with};
use crate::harness::Proxy;

/// A proxy with these toxics before the test server.
fn serving(toxics: &[String]) -> Proxy {
    route(toxics).args(["--test-server"]).start()
}

/// What a program came to, if the machine has it.
fn output_of(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).env("no_proxy", "*").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Not by a macro: what those print is only shown where a test fails.
            stderr().write_all(format!("skipped: {program} is not installed\n").as_bytes()).unwrap();
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// What `curl` wrote and ended with, for these paths in this order.
fn curl(proxy: &Proxy, args: &[&str], paths: &[&str]) -> Option<(Vec<u8>, i32)> {
    let urls: Vec<String> = paths.iter().map(|path| format!("http://{}{path}", proxy.addr(8180))).collect();
    let urls: Vec<&str> = urls.iter().flat_map(|url| ["-o", "/dev/null", url.as_str()]).collect();
    let output = output_of("curl", &[&["-q", "-s", "--max-time", "20"], args, &urls].concat())?;
    Some((output.stdout, output.status.code().unwrap()))
}

/// curl(1), EXIT CODES: 18 is a partial file, 28 a timeout, 52 an answer without anything in it, 56 a failure to receive.
#[test]
fn curl_exit_code_reflects_the_fault() {
    let reset = r#""timeout": 300"#;
    let cases = [
        (vec![toxic("noop", "both", "")], 0),
        (vec![toxic("timeout", "downstream", "")], 28),
        (vec![toxic("timeout", "upstream", "")], 28),
        (vec![toxic("stall", "downstream", "")], 28),
        (vec![toxic("bandwidth", "downstream", r#""rate": 10"#)], 28),
        (vec![toxic("timeout", "downstream", r#""timeout": 300"#)], 52),
        (vec![toxic("timeout", "upstream", r#""timeout": 300"#)], 52),
        (vec![toxic("limit_data", "downstream", r#""bytes": 50000"#)], 18),
        (vec![toxic("limit_data", "downstream", r#""bytes": 50000, "reset": true"#)], 56),
        (
            vec![toxic("latency", "downstream", &format!(r#""latency": {HOUR}"#)), toxic("reset_peer", "both", reset)],
            56,
        ),
        (vec![toxic("bandwidth", "downstream", r#""rate": 50"#), toxic("limit_time", "both", r#""time": 1000"#)], 18),
        (vec![toxic("slicer", "both", r#""average_size": 500, "size_variation": 400"#)], 0),
    ];
    for (toxics, code) in cases {
        let proxy = serving(&toxics);
        let timeout = if code == 28 { "1" } else { "20" };
        let Some((_, ended)) = curl(&proxy, &["--max-time", timeout], &["/bytes/100000"]) else { return };
        assert_eq!(ended, code, "{toxics:?}");
    }
}

/// The request is delayed, and the answer too; connecting is not, since the proxy accepts at once.
#[test]
fn curl_measures_the_latency() {
    let proxy = serving(&[toxic("latency", "both", r#""latency": 300"#)]);
    let Some((times, code)) = curl(&proxy, &["-w", "%{time_connect} %{time_starttransfer}"], &["/"]) else { return };
    let times = String::from_utf8(times).unwrap();
    let (connect, first_byte) = times.split_once(' ').unwrap();
    assert_eq!(code, 0);
    let [connect, first_byte] = [connect, first_byte].map(|seconds| seconds.parse::<f64>().unwrap());
    assert!(first_byte - connect >= 0.6, "{times}");
}

/// Several requests on one connection, each of which meets the latency.
#[test]
fn curl_keep_alive_requests_are_each_delayed() {
    let proxy = serving(&[toxic("latency", "downstream", r#""latency": 300"#)]);
    let paths = ["/bytes/1000", "/", "/bytes/100000"];
    let Some((lines, code)) = curl(&proxy, &["-w", "%{num_connects} %{time_total}\n"], &paths) else { return };
    let lines = String::from_utf8(lines).unwrap();
    let requests: Vec<(&str, f64)> = lines
        .lines()
        .map(|line| line.split_once(' ').map(|(connects, total)| (connects, total.parse().unwrap())).unwrap())
        .collect();
    let connects: Vec<&str> = requests.iter().map(|(connects, _)| *connects).collect();
    assert_eq!((connects, code), (vec!["1", "0", "0"], 0));
    assert!(requests.iter().all(|(_, total)| *total >= 0.3), "{lines}");
}

#[test]
fn only_the_selected_connection_breaks() {
    let second = r#", "connections": "2""#;
    let proxy = serving(&[toxic_with("limit_data", "downstream", r#""bytes": 50000"#, second)]);
    let ended: Option<Vec<i32>> = (0..3).map(|_| curl(&proxy, &[], &["/bytes/100000"]).map(|(_, code)| code)).collect();
    assert!(ended.is_none_or(|codes| codes == [0, 18, 0]));
}

/// Two requests on each of three connections, and for each how many bytes of its answer are wrong, or the error.
const CLIENT: &str = r"
import http.client, sys, time
for _ in range(3):
    connection = http.client.HTTPConnection(sys.argv[1], 8180, timeout=20)
    for _ in range(2):
        began = time.monotonic()
        try:
            connection.request('GET', '/bytes/10000')
            body = connection.getresponse().read()
            wrong = sum(byte != i % 251 for i, byte in enumerate(body)) + abs(10000 - len(body))
            said = 'wrong' if wrong else 'whole'
        except Exception as error:
            said = type(error).__name__
        print(said, 'late' if time.monotonic() - began >= 0.2 else 'early')
        connection.close() if said not in ('whole', 'wrong') else None
    connection.close()
";

/// What Python's HTTP client met, request by request.
fn python(proxy: &Proxy) -> Option<Vec<String>> {
    let output = output_of("python3", &["-c", CLIENT, &proxy.ip.to_string()])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The limit lies in the second of the two answers. Corrupt are 1 in 1,000 of 20,000 bytes, and with this seed none in a
/// head.
#[test]
fn keep_alive_client_sees_faults_of_its_connection() {
    let second = |kind, attributes| toxic_with(kind, "downstream", attributes, r#", "connections": "2""#);
    for (fault, met) in [
        (second("limit_data", r#""bytes": 15000"#), ["whole", "IncompleteRead"]),
        (second("corrupt", r#""rate": 0.001"#), ["wrong", "wrong"]),
    ] {
        let latency = toxic("latency", "downstream", r#""latency": 200"#);
        let proxy = route(&[latency, fault]).args(["--test-server", "--seed", "7"]).start();
        let Some(told) = python(&proxy) else { return };
        let expected = ["whole", "whole", met[0], met[1], "whole", "whole"].map(|said| format!("{said} late"));
        assert_eq!(told, expected);
        assert_eq!(proxy.lines(&["connection opened"]).len(), 3);
    }
}
