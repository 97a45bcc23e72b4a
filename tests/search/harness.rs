//! Starts the real binary around one of the programs.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// An address that no other test uses.
pub fn unique_ip() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from_bits(127 << 24 | (id() << 11 | count | 1 << 10) & 0xff_ffff)
}

/// An exploration of a program.
pub struct Exploring {
    pub config: PathBuf,
    pub directory: PathBuf,
    program: &'static str,
    bank: String,
}

impl Exploring {
    /// Writes a config with one route, `bank`, on an address that no other test uses.
    pub fn of(program: &'static str) -> Self {
        Self::with(program, "")
    }

    /// The same with further keys of the file, as JSON. Each begins with a comma.
    pub fn with(program: &'static str, keys: &str) -> Self {
        Self::on_route(program, "", keys)
    }

    /// The same with further keys of the route.
    pub fn on_route(program: &'static str, route_keys: &str, keys: &str) -> Self {
        let ip = unique_ip();
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("explored-{ip}"));
        // Left over from an earlier process with the same id.
        let _ = fs::remove_dir_all(&directory);
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("explore-{ip}.json"));
        let bank = format!("{ip}:9090");
        let route =
            format!(r#"{{"name": "bank", "localPort": 8180, "bind": "{ip}", "upstream": "{bank}"{route_keys}}}"#);
        fs::write(&config, format!(r#"{{"routes": [{route}]{keys}}}"#)).unwrap();
        Self { config, directory, program, bank }
    }

    /// `chaos-proxy shrink` with these flags.
    pub fn shrink(&self, flags: &[&str]) -> Command {
        let mut command = self.started(&[&["shrink", self.config.to_str().unwrap()], flags].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `chaos-proxy explore` with these flags.
    pub fn explore(&self, flags: &[&str]) -> Command {
        let mut command = self.started(&[&["explore", self.config.to_str().unwrap()], flags].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `chaos-proxy` with these arguments, and the program as its command.
    pub fn started(&self, arguments: &[&str]) -> Command {
        let program = env::current_exe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.env_remove("RUST_LOG").env("PROGRAM", self.program).env("BANK", &self.bank);
        command.args(arguments).arg("--").arg(program).args(["--exact", "program", "--ignored", "--nocapture"]);
        command.stdin(Stdio::null());
        command
    }

    /// What is found with these faults, as JSON.
    pub fn json(&self, flags: &[&str]) -> Value {
        let output = self.explore(&[flags, &["--json"]].concat()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", errors(&output)))
    }
}

/// The findings, by their names.
pub fn findings(results: &Value) -> Vec<String> {
    let findings = results["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
