//! The file against the real binary: schemathesis makes requests from it and checks the answers. `schemathesis.toml` has
//! the checks, and why some operations are exempt from some of them. Without schemathesis the test is skipped:
//! `tests/install-clients` installs it, and the variable PYTHON says where it is.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write, stderr};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::thread;
use std::time::Duration;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/schemathesis.toml");
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/plain_text.py");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/openapi.json");

/// The program, as its command of the same name starts it.
const SCHEMATHESIS: &str = "from schemathesis.cli import schemathesis; schemathesis()";

const PORT: u16 = 8180;
const UPSTREAM: u16 = 9090;
const ADMIN: u16 = 8474;

/// The pause between two connections, while the route may be missing or its toxics may end every connection.
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn the_server_answers_as_described() {
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = Command::new(&python).args(["-c", "import schemathesis.cli"]).output();
    if !import.is_ok_and(|it| it.status.success()) {
        // The test harness captures the print macros, and shows their output only for failed tests.
        let line = format!("skipped: `{python} -c 'import schemathesis.cli'` fails, see tests/install-clients\n");
        return stderr().write_all(line.as_bytes()).unwrap();
    }
    let proxy = Proxy::start();
    thread::spawn(|| hold(&TcpListener::bind((ip(), UPSTREAM)).unwrap()));
    thread::spawn(connect_again_and_again);
    let output = Command::new(&python)
        .args(["-c", SCHEMATHESIS, "--config-file", CONFIG, "run", DOCUMENT, "--no-color"])
        .args(["--url", &format!("http://{}:{ADMIN}", ip())])
        .current_dir(&proxy.directory)
        .envs([("SCHEMATHESIS_HOOKS", HOOKS), ("PYTHONDONTWRITEBYTECODE", "1")])
        .env("no_proxy", "*")
        .output()
        .unwrap();
    let (report, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{report}\n{errors}");
}

/// A loopback address for the ports of this process.
fn ip() -> Ipv4Addr {
    Ipv4Addr::from_bits(127 << 24 | (id() << 8 | 1) & 0xff_ffff)
}

/// The real binary, with a route to a server of this process, in a directory of its own.
struct Proxy {
    child: Child,
    directory: PathBuf,
}

impl Proxy {
    fn start() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{}", id()));
        fs::create_dir_all(&directory).unwrap();
        let (ip, file) = (ip(), directory.join("config.json"));
        let route =
            format!(r#"[{{"name": "db", "bind": "{ip}", "localPort": {PORT}, "upstream": "{ip}:{UPSTREAM}"}}]"#);
        fs::write(&file, route).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.arg("--config").arg(file).args(["--bind", &ip.to_string(), "--admin", &format!("{ip}:{ADMIN}")]);
        command.env_remove("CHAOS_PROXY_ADMIN_TOKEN").args(["--log", "error"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        Self { child, directory }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // These fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Keeps all connections open.
fn hold(listener: &TcpListener) {
    let mut connections = Vec::new();
    connections.extend(listener.incoming());
}

/// Keeps a connection alive, so that the lists have one.
fn connect_again_and_again() {
    loop {
        if let Ok(mut connection) = TcpStream::connect((ip(), PORT)) {
            let _ = connection.read(&mut [0]);
        }
        thread::sleep(PAUSE);
    }
}
