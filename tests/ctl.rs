//! `chaos-proxy ctl` through the real binary, against a server that records each request and gives a scripted answer.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::{Value, json};

const ROUTES: &str = r#"[
    {"name":"web","listen":"127.0.0.1:8180","upstream":"127.0.0.1:9090","enabled":true,"generation":3,"accepted":12,
     "active":2,"dropped":1,"failedDials":0,"bytesUp":1000,"bytesDown":20000},
    {"name":"8181","listen":"[::1]:8181","upstream":"[::1]:9090","enabled":false,"generation":1,"accepted":0,
     "active":0,"dropped":0,"failedDials":0,"bytesUp":0,"bytesDown":0}
]"#;

const CONNECTIONS: &str = r#"[
    {"id":7,"route":"web","number":4,"client":"127.0.0.1:50000","upstream":"127.0.0.1:9090","state":"half-closed",
     "ageMs":1500,"bytesUp":10,"bytesDown":20,"toxics":["latency_downstream","stall_both"]},
    {"id":9,"route":"web","number":5,"client":"127.0.0.1:50001","upstream":null,"state":"dialling",
     "ageMs":2,"bytesUp":0,"bytesDown":0,"toxics":[]}
]"#;

/// A server that answers one connection after another.
struct Server {
    address: SocketAddr,
    requests: Receiver<Request>,
}

/// What the server received.
struct Request {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Server {
    fn start(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (received, requests) = mpsc::channel();
        let answers = answers.to_vec();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                received.send(Request::read(&mut stream)).unwrap();
                // A client that has read enough closes early.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, requests }
    }

    fn ctl(&self, arguments: &str) -> Output {
        ctl(&format!("--admin {} {arguments}", self.address))
    }

    fn next(&self) -> Request {
        self.requests.recv().unwrap()
    }
}

impl Request {
    fn read(stream: &mut TcpStream) -> Self {
        let mut stream = BufReader::new(stream);
        let mut lines = stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let line = lines.next().unwrap();
        let headers: Vec<String> = lines.collect();
        let length = headers.iter().find_map(|header| header.strip_prefix("Content-Length: ")).unwrap();
        let mut body = String::new();
        stream.take(length.parse().unwrap()).read_to_string(&mut body).unwrap();
        Self { line, headers, body }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
    command.arg("ctl").args(arguments.split_whitespace());
    command.env_remove("CHAOS_PROXY_ADMIN").env_remove("CHAOS_PROXY_ADMIN_TOKEN").stdin(Stdio::null());
    command
}

fn ctl(arguments: &str) -> Output {
    command(arguments).output().unwrap()
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/json\r\n\r\n{body}", body.len())
}

fn no_content() -> String {
    "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[track_caller]
fn assert_printed(output: &Output, expected: &str) {
    assert_eq!((stdout(output), stderr(output), output.status.code()), (expected, "", Some(0)));
}

#[track_caller]
fn assert_failed(output: &Output, code: i32, expected: &str) {
    assert!(stderr(output).contains(expected), "{}\ninstead of\n{expected}", stderr(output));
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn each_command_sends_one_request_and_prints_the_answer() {
    let text = no_content;
    for (arguments, answered, request, body, printed) in [
        (
            "toxic add web latency:latency=100,toxicity=0.5,clients=::1",
            answer("200 OK", "{}"),
            "POST /proxies/web/toxics HTTP/1.0",
            json!({
                "type": "latency", "name": "latency_downstream", "stream": "downstream", "toxicity": 0.5,
                "attributes": { "latency": 100, "jitter": 0, "correlation": 0.0, "distribution": "uniform" },
                "clients": ["::1/128"],
            }),
            "added latency_downstream to web\n",
        ),
        (
            "toxic update web lag latency=5,toxicity=1",
            answer("200 OK", "{}"),
            "PATCH /proxies/web/toxics/lag HTTP/1.0",
            json!({ "toxicity": 1, "attributes": { "latency": 5 } }),
            "updated lag on web\n",
        ),
        (
            "toxic remove web lag",
            text(),
            "DELETE /proxies/web/toxics/lag HTTP/1.0",
            json!(null),
            "removed lag from web\n",
        ),
        (
            "enable web",
            answer("200 OK", "{}"),
            "PATCH /proxies/web HTTP/1.0",
            json!({ "enabled": true }),
            "enabled web\n",
        ),
        (
            "disable web",
            answer("200 OK", "{}"),
            "PATCH /proxies/web HTTP/1.0",
            json!({ "enabled": false }),
            "disabled web\n",
        ),
        ("reset", text(), "POST /reset HTTP/1.0", json!(null), "enabled every route and removed every toxic\n"),
        (
            "reload",
            answer("200 OK", r#"{"changes":[{"route":"web","change":"changed","connections":1}]}"#),
            "POST /v1/reload HTTP/1.0",
            json!(null),
            "web: changed, 1 live connection\n",
        ),
        (
            "config",
            answer("200 OK", "{\n  \"routes\": []\n}\n"),
            "GET /v1/config HTTP/1.0",
            json!(null),
            "{\n  \"routes\": []\n}\n",
        ),
        ("health", answer("200 OK", r#"{"status":"ok"}"#), "GET /v1/health HTTP/1.0", json!(null), "ok\n"),
        (
            "health --json",
            answer("200 OK", r#"{"status":"ok"}"#),
            "GET /v1/health HTTP/1.0",
            json!(null),
            "{\"status\":\"ok\"}\n",
        ),
        ("kill --id 7", text(), "DELETE /v1/connections/7 HTTP/1.0", json!(null), "closed connection 7\n"),
        (
            "kill web --reset",
            answer("200 OK", r#"{"closed":2}"#),
            "DELETE /v1/connections?route=web&reset=true HTTP/1.0",
            json!(null),
            "reset 2 connections of route web\n",
        ),
    ] {
        let server = Server::start(&[answered]);
        assert_printed(&server.ctl(arguments), printed);
        let received = server.next();
        assert_eq!(received.line, request, "{arguments}");
        assert_eq!(if received.body.is_empty() { json!(null) } else { received.json() }, body, "{arguments}");
    }
}

#[test]
fn lists_have_tabs_when_stdout_is_no_terminal() {
    let server = Server::start(&[answer("200 OK", ROUTES), answer("200 OK", CONNECTIONS), answer("200 OK", ROUTES)]);
    let expected = "web\t127.0.0.1:8180\t127.0.0.1:9090\ttrue\t3\t12\t2\t1\t0\t1000\t20000\n\
                    8181\t[::1]:8181\t[::1]:9090\tfalse\t1\t0\t0\t0\t0\t0\t0\n";
    assert_printed(&server.ctl("routes"), expected);
    let expected = "7\tweb\t4\t127.0.0.1:50000\t127.0.0.1:9090\thalf-closed\t1500\t10\t20\tlatency_downstream,stall_both\n\
                    9\tweb\t5\t127.0.0.1:50001\t-\tdialling\t2\t0\t0\t-\n";
    assert_printed(&server.ctl("connections web"), expected);
    assert_printed(&server.ctl("--json routes"), &format!("{ROUTES}\n"));
    assert_eq!(server.next().line, "GET /v1/routes HTTP/1.0");
    assert_eq!(server.next().line, "GET /v1/connections?route=web HTTP/1.0");
}

#[test]
fn a_number_is_the_route_of_that_name_or_else_an_id() {
    let closed = answer("200 OK", r#"{"closed":1}"#);
    let server = Server::start(&[answer("200 OK", ROUTES), closed, answer("200 OK", ROUTES), no_content()]);
    assert_printed(&server.ctl("kill 8181"), "closed 1 connection of route 8181\n");
    assert_printed(&server.ctl("kill 7"), "closed connection 7\n");
    let lines: Vec<String> = (0..4).map(|_| server.next().line).collect();
    assert_eq!(lines[1], "DELETE /v1/connections?route=8181 HTTP/1.0");
    assert_eq!(lines[3], "DELETE /v1/connections/7 HTTP/1.0");
}

#[test]
fn the_environment_has_the_address_and_the_token() {
    let server = Server::start(&[answer("200 OK", "[]"), answer("200 OK", "[]")]);
    let mut from_environment = command("routes");
    from_environment.env("CHAOS_PROXY_ADMIN", format!("http://{}/", server.address));
    from_environment.env("CHAOS_PROXY_ADMIN_TOKEN", "secret").env("http_proxy", "http://127.0.0.1:1");
    assert_printed(&from_environment.output().unwrap(), "");
    let request = server.next();
    assert!(request.headers.contains(&"Authorization: Bearer secret".to_owned()), "{:?}", request.headers);
    assert!(request.headers.contains(&format!("Host: {}", server.address)), "{:?}", request.headers);
    // A flag wins over a variable, which is not even read.
    let mut flag = command(&format!("--admin {} --token other routes", server.address));
    flag.env("CHAOS_PROXY_ADMIN", "nonsense").env("CHAOS_PROXY_ADMIN_TOKEN", "secret");
    assert_printed(&flag.output().unwrap(), "");
    assert!(server.next().headers.contains(&"Authorization: Bearer other".to_owned()));
    let invalid = command("routes").env("CHAOS_PROXY_ADMIN", "https://a:1").output().unwrap();
    assert_failed(
        &invalid,
        2,
        "CHAOS_PROXY_ADMIN=https://a:1: the admin server speaks HTTP without TLS; write http://a:1",
    );
}

#[test]
fn a_refusal_is_exit_code_1_with_the_reason_and_the_hint() {
    let refusal = r#"{"error":"proxy not found","status":404,"hint":"the routes are: web"}"#;
    let server = Server::start(&[answer("404 Not Found", refusal), answer("404 Not Found", refusal)]);
    let url = format!("http://{}/proxies/nope", server.address);
    let expected = format!("chaos-proxy: proxy not found (status 404 of {url})\nthe routes are: web\n");
    assert_failed(&server.ctl("enable nope"), 1, &expected);
    let output = server.ctl("enable nope --json");
    assert_failed(&output, 1, "proxy not found");
    assert_eq!(stdout(&output), format!("{refusal}\n"));
}

#[test]
fn a_reload_prints_every_problem_of_the_file() {
    let problems = r#"{"error":"the file has 1 problem","status":400,
        "problems":[{"line":3,"column":12,"what":"port 0 is out of range","hint":"use 1 to 65535"}]}"#;
    let server = Server::start(&[answer("400 Bad Request", problems)]);
    assert_failed(&server.ctl("reload"), 1, "\n3:12: port 0 is out of range; use 1 to 65535\n");
}

#[test]
fn a_draining_proxy_is_not_healthy() {
    let server = Server::start(&[answer("503 Service Unavailable", r#"{"status":"draining"}"#)]);
    assert_failed(&server.ctl("health"), 1, "chaos-proxy: draining (status 503 of");
}

/// For health checks of images that have nothing but the binary.
#[test]
fn the_health_can_be_asked_for_by_a_flag() {
    let answers =
        [answer("200 OK", r#"{"status":"ok"}"#), answer("503 Service Unavailable", r#"{"status":"draining"}"#)];
    let server = Server::start(&answers);
    let health = |address: SocketAddr| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.env_remove("CHAOS_PROXY_ADMIN").args(["--health", &address.to_string()]).output().unwrap()
    };
    assert_printed(&health(server.address), "ok\n");
    assert_failed(&health(server.address), 1, "chaos-proxy: draining (status 503 of");
    assert_eq!(server.next().line, "GET /v1/health HTTP/1.0");
    let nothing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_failed(&health(nothing), 1, "can't reach");
}

#[test]
fn a_server_that_is_not_there_is_exit_code_1_with_its_url() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = ctl(&format!("--admin 127.0.0.1:{port} routes"));
    assert_failed(&output, 1, &format!("chaos-proxy: can't reach http://127.0.0.1:{port}: "));
    assert_failed(&output, 1, "\nstart chaos-proxy with --admin, or give the address");
}

#[test]
fn other_servers_and_cut_answers_are_reported() {
    let server = Server::start(&[
        "220 mail.example ESMTP\r\n".to_owned(),
        answer("200 OK", "<html>"),
        answer("200 OK", "{}"),
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[]".to_owned(),
        String::new(),
    ]);
    for expected in
        ["does not speak HTTP", "is not JSON", "is not a list", "ended the connection before", "does not speak HTTP"]
    {
        assert_failed(&server.ctl("routes"), 1, expected);
    }
}

#[test]
fn usage_errors_are_exit_code_2() {
    assert_failed(
        &ctl("rotues"),
        2,
        "chaos-proxy: unknown command rotues; did you mean routes?\ntry `chaos-proxy ctl --help`",
    );
    assert_failed(&ctl("toxic add web latncy"), 2, "did you mean `latency`?");
    let help = ctl("--help");
    assert!(help.status.success() && stdout(&help).contains("chaos-proxy ctl toxic add"), "{help:?}");
}

#[test]
fn an_answer_without_length_ends_with_the_connection() {
    let server = Server::start(&["HTTP/1.1 200 OK\r\n\r\n[]".to_owned()]);
    assert_printed(&server.ctl("routes --json"), "[]\n");
}

/// The server sends one line and then stays silent: the line is printed at once, and the end of the reader ends `ctl`.
#[test]
fn events_are_printed_as_they_happen_until_the_reader_leaves() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut events = command(&format!("--admin {} events", listener.local_addr().unwrap()));
    let mut events = events.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(Request::read(&mut stream).line, "GET /v1/events HTTP/1.0");
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{\"msg\":\"listening\"}\n")
        .unwrap();
    let mut line = String::new();
    // Dropping the reader closes the pipe.
    BufReader::new(events.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "{\"msg\":\"listening\"}\n");
    let output = events.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[test]
fn events_end_with_the_server() {
    let refusal = answer("401 Unauthorized", r#"{"error":"a token is needed","status":401}"#);
    let server = Server::start(&["HTTP/1.1 200 OK\r\n\r\n{\"msg\":\"drained\"}\n".to_owned(), refusal]);
    assert_printed(&server.ctl("events"), "{\"msg\":\"drained\"}\n");
    assert_failed(
        &server.ctl("events"),
        1,
        "give the token of the server with --token TOKEN or CHAOS_PROXY_ADMIN_TOKEN",
    );
}
