//! What changes the routes of the real binary: SIGHUP, a watched file, and the admin server.

use std::fs;
#[cfg(feature = "yaml")]
use std::io::{BufRead, BufReader};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
#[cfg(feature = "yaml")]
use std::process::Stdio;
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Proxy, Setup, echoes, forwarding_pair, one_route, serve_echo, with_timeouts};

/// The config file of a proxy, as the harness names it.
fn file(proxy: &Proxy) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", proxy.ip))
}

fn routes(proxy: &Proxy, keys: &str) -> String {
    let ip = proxy.ip;
    format!(r#"[{{"localPort": 8180, "bind": "{ip}", "upstream": "{ip}:9090", {keys}}}]"#)
}

/// The answer to a request of a client that knows HTTP/1.0 only.
fn ask(addr: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = with_timeouts(TcpStream::connect(addr).unwrap());
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_hang_up_reloads_the_file_and_keeps_connections() {
    let setup = one_route("");
    let upstream = setup.upstream();
    let mut proxy = setup.start();
    let (client, server) = forwarding_pair(&proxy, &upstream);
    fs::write(file(&proxy), routes(&proxy, r#""latencyMs": 1"#)).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.logged(&["msg=\"route changed\" route=8180 change=\"latencyMs 0 -> 1\" by=sighup connections=1"]);
    proxy.logged(&["msg=\"config reloaded\" by=sighup changes=1"]);
    drop(server);
    drop(client);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_file_with_problems_changes_nothing() {
    let setup = one_route("");
    serve_echo(setup.upstream());
    let mut proxy = setup.start();
    fs::write(file(&proxy), routes(&proxy, r#""latency": 1"#)).unwrap();
    proxy.signal(Signal::SIGHUP);
    let place = format!("at={}:1:", file(&proxy).display());
    proxy.logged(&["level=error msg=\"config problem\"", &place, "problem=\"unknown key `latency`\"", "latencyMs"]);
    proxy.logged(&["level=error msg=\"config not reloaded\" by=sighup", "1 problem"]);
    assert!(echoes(&proxy.connect(), b"still here"));
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_key_that_needs_a_restart_is_a_warning() {
    let mut proxy = one_route("").start();
    let text = |keys: &str| format!(r#"{{{keys}, "routes": {}}}"#, routes(&proxy, r#""latencyMs": 0"#));
    fs::write(file(&proxy), text(r#""seed": 1, "admin": "127.0.0.1:8474""#)).unwrap();
    proxy.signal(Signal::SIGHUP);
    let warning = "level=warn msg=\"no effect until the next start\"";
    proxy.logged(&[warning, "change=\"admin none -> 127.0.0.1:8474\""]);
    proxy.logged(&[warning, "change=\"seed none -> 1\""]);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn a_watched_file_is_reloaded_when_it_is_replaced() {
    let mut proxy = one_route("").args(["--watch"]).start();
    let new = file(&proxy).with_extension("new");
    fs::write(&new, routes(&proxy, r#""enabled": false"#)).unwrap();
    fs::rename(&new, file(&proxy)).unwrap();
    proxy.logged(&["msg=\"config reloaded\" by=watch changes=1"]);
    assert!(TcpStream::connect(proxy.addr(8180)).is_err());
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn an_admin_server_alone_waits_for_routes() {
    let setup = Setup::new();
    let (ip, addr) = (setup.ip(), SocketAddr::from((setup.ip(), 8474)));
    serve_echo(setup.upstream());
    let mut proxy = setup.args(["--admin", &addr.to_string()]).start();
    proxy.logged(&[&format!("msg=\"admin server listening\" addr={addr}")]);
    let route = format!(r#"{{"localPort": 8180, "bind": "{ip}", "upstream": "{ip}:9090"}}"#);
    let answer = ask(addr, "PUT", "/v1/routes/web", &route);
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(echoes(&proxy.connect(), b"hello"));
    let answer = ask(addr, "POST", "/v1/reload", "");
    assert!(answer.starts_with("HTTP/1.1 409 Conflict\r\n"), "{answer}");
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn an_admin_address_in_use_fails_the_start() {
    let setup = one_route("");
    let addr = SocketAddr::from((setup.ip(), 8474));
    let _taken = TcpListener::bind(addr).unwrap();
    let mut proxy = setup.args(["--admin", &addr.to_string()]).launch();
    assert_eq!(proxy.wait(), 1);
    proxy.logged(&["msg=\"can't start\"", &format!("the admin server can't serve {addr}"), "--admin IP:PORT"]);
    assert!(proxy.lines(&["msg=listening"]).is_empty());
}

#[test]
fn the_health_says_that_a_drain_has_begun() {
    let setup = one_route("");
    let (upstream, addr) = (setup.upstream(), SocketAddr::from((setup.ip(), 8474)));
    let mut proxy = setup.args(["--admin", &addr.to_string()]).start();
    let pair = forwarding_pair(&proxy, &upstream);
    assert!(ask(addr, "GET", "/v1/health", "").ends_with("{\"status\":\"ok\"}\n"));
    proxy.signal(Signal::SIGTERM);
    proxy.logged(&["msg=\"draining, no new connections\""]);
    let answer = ask(addr, "GET", "/v1/health", "");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("{\"status\":\"draining\"}\n"), "{answer}");
    drop(pair);
    assert_eq!(proxy.wait(), 0);
}

/// Opening a pipe blocks until something writes to it.
#[test]
fn a_config_from_a_pipe_is_not_reloaded() {
    let setup = Setup::new();
    let (ip, addr) = (setup.ip(), SocketAddr::from((setup.ip(), 8474)));
    let pipe = Pipe::new(&format!("{ip}.pipe"));
    let text = format!(r#"[{{"localPort": 8180, "bind": "{ip}", "upstream": "{ip}:9090"}}]"#);
    let writer = thread::spawn({
        let path = pipe.0.clone();
        move || fs::write(path, text).unwrap()
    });
    let mut proxy = setup.args(["--config", pipe.0.to_str().unwrap(), "--admin", &addr.to_string()]).start();
    writer.join().unwrap();
    let answer = ask(addr, "POST", "/v1/reload", "");
    assert!(answer.starts_with("HTTP/1.1 409 Conflict\r\n"), "{answer}");
    assert_eq!(proxy.stop(), 0);
}

/// The parser of YAML needs more stack than anything else, and this is a thread of its own.
#[cfg(feature = "yaml")]
#[test]
fn a_file_in_yaml_is_reloaded() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reloaded-{}.yaml", std::process::id()));
    let text = |latency: u32| {
        let toxic = format!(
            "{{ type: latency, name: slow, attributes: {{ latency: {latency}, jitter: 20 }}, destinations: [':80'] }}"
        );
        format!("routes:\n  - {{ name: db, localPort: auto, upstream: '127.0.0.1:1', toxics: [{toxic}] }}\n")
    };
    fs::write(&path, text(100)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
    command.args(["--watch", "--config"]).arg(&path).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut proxy = command.spawn().unwrap();
    let mut lines = BufReader::new(proxy.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("msg=listening")));
    fs::write(&path, text(500)).unwrap();
    assert!(lines.any(|line| line.contains("msg=\"route changed\"") && line.contains("latency 100 -> 500")));
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn a_pipe_is_not_watched() {
    let setup = Setup::new();
    let pipe = Pipe::new(&format!("{}.watched", setup.ip()));
    let mut proxy = setup.args(["--watch", pipe.0.to_str().unwrap()]).launch();
    assert_eq!(proxy.wait(), 2);
    proxy.logged(&["--watch needs a regular file", "is a pipe or a device"]);
}

/// A named pipe that is removed at the end.
struct Pipe(PathBuf);

impl Pipe {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A run that was killed may have left one.
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self(path)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn without_a_file_a_hang_up_ends_the_process() {
    let setup = Setup::new();
    let addr = SocketAddr::from((setup.ip(), 8474));
    let mut proxy = setup.args(["--admin", &addr.to_string()]).start();
    proxy.signal(Signal::SIGHUP);
    assert_eq!(proxy.end_by_signal(), Signal::SIGHUP as i32);
}
