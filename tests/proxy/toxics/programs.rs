//! Two real clients behind toxics: curl, and Python's HTTP client with keep-alive. A test whose program is not
//! installed is skipped, with a message. The server is `--test-server`.

use std::io::{ErrorKind, Write, stderr};
use std::process::{Command, Output};

use super::{HOUR, route, toxic, toxic_with};
use crate::harness::Proxy;

/// Starts a route with these toxics to the test server.
fn start_with_test_server(toxics: &[String]) -> Proxy {
    route(toxics).args(["--test-server"]).start()
}

/// Runs a program and returns its output, or none if it is not installed.
fn output_of(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).env("no_proxy", "*").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // The test harness captures the print macros, and shows their output only for failed tests.
            stderr().write_all(format!("skipped: {program} is not installed\n").as_bytes()).unwrap();
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Runs curl for these paths, in order. Returns its stdout and its exit code.
fn curl(proxy: &Proxy, args: &[&str], paths: &[&str]) -> Option<(Vec<u8>, i32)> {
    let urls: Vec<String> = paths.iter().map(|path| format!("http://{}{path}", proxy.addr(8180))).collect();
    let urls: Vec<&str> = urls.iter().flat_map(|url| ["-o", "/dev/null", url.as_str()]).collect();
    let output = output_of("curl", &[&["-q", "-s", "--max-time", "20"], args, &urls].concat())?;
    Some((output.stdout, output.status.code().unwrap()))
}

/// curl(1), EXIT CODES: 18 is a partial file, 28 a timeout, 52 an empty reply, 56 a receive error.
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
        let proxy = start_with_test_server(&toxics);
        let timeout = if code == 28 { "1" } else { "20" };
        let Some((_, ended)) = curl(&proxy, &["--max-time", timeout], &["/bytes/100000"]) else { return };
        assert_eq!(ended, code, "{toxics:?}");
    }
}

/// Request and reply are delayed. Connecting is not, because the proxy accepts at once.
#[test]
fn curl_measures_the_latency() {
    let proxy = start_with_test_server(&[toxic("latency", "both", r#""latency": 300"#)]);
    let Some((times, code)) = curl(&proxy, &["-w", "%{time_connect} %{time_starttransfer}"], &["/"]) else { return };
    let times = String::from_utf8(times).unwrap();
    let (connect, first_byte) = times.split_once(' ').unwrap();
    assert_eq!(code, 0);
    let [connect, first_byte] = [connect, first_byte].map(|seconds| seconds.parse::<f64>().unwrap());
    assert!(first_byte - connect >= 0.6, "{times}");
}

/// Several requests on one connection are each delayed.
#[test]
fn curl_keep_alive_requests_are_each_delayed() {
    let proxy = start_with_test_server(&[toxic("latency", "downstream", r#""latency": 300"#)]);
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
    let proxy = start_with_test_server(&[toxic_with("limit_data", "downstream", r#""bytes": 50000"#, second)]);
    let ended: Option<Vec<i32>> = (0..3).map(|_| curl(&proxy, &[], &["/bytes/100000"]).map(|(_, code)| code)).collect();
    assert!(ended.is_none_or(|codes| codes == [0, 18, 0]));
}

/// Sends two requests on each of three connections. Prints for each whether its reply is correct, or the error.
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
            result = 'corrupt' if wrong else 'intact'
        except Exception as error:
            result = type(error).__name__
        print(result, 'late' if time.monotonic() - began >= 0.2 else 'early')
        connection.close() if result not in ('intact', 'corrupt') else None
    connection.close()
";

/// Runs Python's HTTP client and returns one line per request.
fn python(proxy: &Proxy) -> Option<Vec<String>> {
    let output = output_of("python3", &["-c", CLIENT, &proxy.ip.to_string()])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The limit is in the second of the two replies. The corruption rate is 1 in 1,000 of 20,000 bytes, and with this seed
/// it hits no response head.
#[test]
fn keep_alive_client_sees_faults_of_its_connection() {
    let second = |kind, attributes| toxic_with(kind, "downstream", attributes, r#", "connections": "2""#);
    for (fault, results) in [
        (second("limit_data", r#""bytes": 15000"#), ["intact", "IncompleteRead"]),
        (second("corrupt", r#""rate": 0.001"#), ["corrupt", "corrupt"]),
    ] {
        let latency = toxic("latency", "downstream", r#""latency": 200"#);
        let proxy = route(&[latency, fault]).args(["--test-server", "--seed", "7"]).start();
        let Some(lines) = python(&proxy) else { return };
        let expected = ["intact", "intact", results[0], results[1], "intact", "intact"];
        assert_eq!(lines, expected.map(|result| format!("{result} late")));
        assert_eq!(proxy.lines(&["connection opened"]).len(), 3);
    }
}
