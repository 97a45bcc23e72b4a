//! Real databases with real drivers: a command that is sent again after its reply was lost is found. Skipped with a printed
//! reason where a server or a driver is not installed: `tests/install-clients` installs the drivers.

use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::unique_ip;

/// Far longer than a server needs to start on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running server, which ends with the test.
struct Server {
    process: Child,
    ip: Ipv4Addr,
    directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the server, and waits until it accepts.
    fn start(mut command: Command, ip: Ipv4Addr, port: u16, directory: TempDir) -> Self {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (server, began) = (Self { process, ip, directory }, Instant::now());
        while TcpStream::connect((ip, port)).is_err() {
            assert!(began.elapsed() < TIMEOUT, "the server does not start");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What breaks a script that talks to the server through the proxy.
    fn explore(&self, port: u16, script: &str) -> Value {
        let config = self.directory.path().join("config.json");
        let (ip, port) = (self.ip, port.to_string());
        let route = format!(r#"[{{"name": "db", "localPort": 8180, "bind": "{ip}", "upstream": "{ip}:{port}"}}]"#);
        fs::write(&config, route).unwrap();
        let script = format!("{}/tests/search/databases/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut explore = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        explore.arg("explore").arg(&config).args([
            "--only",
            "db#1",
            "--fault",
            "reset",
            "--json",
            "--",
            &python(),
            &script,
        ]);
        let output = explore.env("DATABASE", ip.to_string()).env_remove("RUST_LOG").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn python() -> String {
    env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether the driver is there; otherwise the reason is printed.
fn has_driver(name: &str) -> bool {
    let import = format!("import {name}");
    let found = Command::new(python()).args(["-c", &import]).output().is_ok_and(|it| it.status.success());
    if !found {
        skip(&format!("`{} -c \"{import}\"` fails, see tests/install-clients", python()));
    }
    found
}

/// The test harness captures the print macros, and shows their output only for failed tests.
fn skip(why: &str) {
    stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// The folder of the newest `PostgreSQL`: Debian does not have its servers in PATH.
fn postgres_folder() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|version| version.path().join("bin"));
    versions.filter(|folder| folder.join("initdb").exists()).max()
}

/// `PostgreSQL` refuses to run as root.
fn as_postgres(program: &Path) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    let works =
        Command::new("setpriv").args(["--reuid=postgres", "true"]).status().is_ok_and(|status| status.success());
    command.arg(program);
    works.then_some(command)
}

fn postgres() -> Option<Server> {
    let folder = postgres_folder()?;
    let (ip, directory) = (unique_ip(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    if rustix::process::geteuid().is_root() {
        let owned = Command::new("chown").arg("postgres").args([directory.path(), &data]).status();
        owned.ok().filter(std::process::ExitStatus::success)?;
    }
    let mut initdb = as_postgres(&folder.join("initdb"))?;
    let created = initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "-D"]).arg(&data).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let mut server = as_postgres(&folder.join("postgres"))?;
    server.args(["-F", "-p", "5432", "-h", &ip.to_string(), "-k"]).arg(&data).arg("-D").arg(&data);
    Some(Server::start(server, ip, 5432, directory))
}

fn redis() -> Option<Server> {
    Command::new("redis-server").arg("--version").output().ok()?;
    let (ip, directory) = (unique_ip(), tempfile::tempdir().unwrap());
    let mut server = Command::new("redis-server");
    server.args(["--bind", &ip.to_string(), "--port", "6379", "--save", "", "--dir"]).arg(directory.path());
    Some(Server::start(server, ip, 6379, directory))
}

/// The points at which the script fails, all of them around the reply to the message with this text.
#[track_caller]
fn assert_found_around(results: &Value, text: &str, outcome: &str) {
    let findings = results["findings"].as_array().unwrap();
    let after: Vec<&Value> =
        findings.iter().filter(|it| it["stream"] == "upstream" && it["point"] == "after").collect();
    let [lost] = &after[..] else { panic!("{results:#}") };
    assert!(lost["preview"].as_str().unwrap().contains(text) && lost["outcome"] == outcome, "{results:#}");
    let number = &lost["message"];
    let is_reply = |it: &&Value| it["stream"] == "downstream" && it["message"] == *number && it["point"] != "after";
    let others = findings.iter().filter(|it| it != lost).collect::<Vec<_>>();
    assert!(!others.is_empty() && others.iter().all(is_reply), "{results:#}");
}

#[test]
fn a_retry_of_commit_after_a_lost_reply_is_found_in_postgresql() {
    if !has_driver("psycopg") {
        return;
    }
    let Some(server) = postgres() else {
        return skip("PostgreSQL, or a way to run it as the user postgres, is not installed");
    };
    assert_found_around(&server.explore(5432, "postgres.py"), "COMMIT", "exit code 1");
}

#[test]
fn a_retry_of_incr_after_a_lost_reply_is_found_in_redis() {
    if !has_driver("redis") {
        return;
    }
    let Some(server) = redis() else {
        return skip("redis-server is not installed");
    };
    assert_found_around(&server.explore(6379, "redis_client.py"), "INCR", "exit code 1");
}
