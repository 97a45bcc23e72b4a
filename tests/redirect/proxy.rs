//! The proxy on the router, and what it logs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::network::Network;

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Proxy {
    process: Child,
    directory: PathBuf,
    log: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Proxy {
    /// Starts it with a route on port 8180.
    pub fn start(network: &Network, bind: &str, route: &str, user: Option<u32>) -> Self {
        let directory = directory();
        let config = config(&directory, bind, route);
        Self::started(directory, |program| spawn(network, program, &["--config", &config], user))
    }

    /// Starts it with these arguments.
    #[cfg(feature = "yaml")]
    pub fn start_with(network: &Network, arguments: &[&str], user: u32) -> Self {
        Self::started(directory(), |program| spawn(network, program, arguments, Some(user)))
    }

    fn started(directory: PathBuf, spawn: impl FnOnce(&Path) -> Child) -> Self {
        let mut process = spawn(&directory.join("chaos-proxy"));
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::<(Mutex<Vec<String>>, Condvar)>::default();
        let written = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.0.lock().unwrap().push(line);
                written.1.notify_all();
            }
        });
        let proxy = Self { process, directory, log };
        assert!(ready.starts_with("ready "), "{:#?}", proxy.log.0.lock().unwrap());
        proxy
    }

    /// What a proxy prints that can't start.
    pub fn failed(network: &Network, bind: &str, route: &str, user: u32) -> String {
        let directory = directory();
        let config = config(&directory, bind, route);
        let mut process = spawn(network, &directory.join("chaos-proxy"), &["--config", &config], Some(user));
        let mut errors = String::new();
        process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(1));
        fs::remove_dir_all(directory).unwrap();
        errors
    }

    pub fn script(&self, firewall: &str, user: &str) -> String {
        let mut command = Command::new(self.directory.join("chaos-proxy"));
        command.args(["--print-redirect", firewall, "--proxy-user", user, "--config"]);
        let output = command.arg(self.directory.join("config.json")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a line has all of these parts.
    pub fn wait_for(&self, parts: &[&str]) {
        let is_it = |line: &String| parts.iter().all(|part| line.contains(part));
        let lines = self.log.0.lock().unwrap();
        let (lines, timeout) =
            self.log.1.wait_timeout_while(lines, PATIENCE, |lines| !lines.iter().any(is_it)).unwrap();
        assert!(!timeout.timed_out(), "no line with {parts:?} in {lines:#?}");
    }

    /// The number of connections so far.
    pub fn accepted(&self) -> usize {
        self.log.0.lock().unwrap().iter().filter(|line| line.contains("msg=\"connection opened\"")).count()
    }
}

/// A directory with a copy of the binary, which every user can start.
fn directory() -> PathBuf {
    static PROXIES: AtomicUsize = AtomicUsize::new(0);
    let number = PROXIES.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("chaos-proxy-redirect-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    // Copied by a process of its own: a child that another test starts meanwhile would have our file open for writing until it
    // becomes its program, and execve(2) fails with ETXTBSY until then.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_chaos-proxy")).arg(directory.join("chaos-proxy")).status();
    assert!(copied.unwrap().success());
    directory
}

/// Writes a config with a route on port 8180. Returns its path.
fn config(directory: &Path, bind: &str, route: &str) -> String {
    let path = directory.join("config.json");
    let text =
        format!(r#"{{ "seed": 1, "routes": [{{ "name": "all", "localPort": 8180, "bind": "{bind}", {route} }}] }}"#);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn spawn(network: &Network, program: &Path, arguments: &[&str], user: Option<u32>) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).args(["--log-format", "logfmt"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(user) = user {
        command.uid(user);
    }
    network.router.inside(move || command.spawn().unwrap())
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
