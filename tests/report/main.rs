//! The report of a run, its formats, and the judgement on expectations: the real binary with real connections.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "../proxy/harness.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, clippy::needless_pass_by_value)]
mod harness;
#[path = "../json_schema/mod.rs"]
mod json_schema;

mod expectations;
mod figures;
mod formats;
mod run;
mod scenario;
mod shown;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use harness::{Proxy, Setup, echoes, serve_echo};
use serde_json::Value;

/// A run with a config file of its own, and the path of its report.
struct Run {
    proxy: Proxy,
    report: PathBuf,
}

/// Paths that no other test uses.
fn path(ip: Ipv4Addr, name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{ip}-{name}"))
}

/// A config with the route `db` from port 8180 to an echo server on port 9090.
fn config(ip: Ipv4Addr, keys: &str, expect: &str) -> String {
    let route = format!(r#"{{"name": "db", "localPort": 8180, "bind": "{ip}", "upstream": "{ip}:9090", {keys}}}"#);
    format!(r#"{{"seed": 5, "routes": [{route}], "expect": [{expect}]}}"#)
}

/// Starts a run that writes its report to a file of this name. `keys` are further keys of the route.
fn start(name: &str, keys: &str, expect: &str, args: &[&str]) -> Run {
    let setup = Setup::new();
    let ip = setup.ip();
    let (file, report) = (path(ip, "config.json"), path(ip, name));
    fs::write(&file, config(ip, keys, expect)).unwrap();
    serve_echo(TcpListener::bind((ip, 9090)).unwrap());
    let paths = ["--config", file.to_str().unwrap(), "--report", report.to_str().unwrap()];
    Run { proxy: setup.args(paths).args(args).start(), report }
}

const NO_KEYS: &str = r#""enabled": true"#;

impl Run {
    /// Makes this number of connections, one after the other. Each sends 1,000 bytes and receives them.
    fn echo(&self, connections: usize) {
        for number in 1..=connections {
            let mut client = self.proxy.connect();
            assert!(echoes(&client, &[7; 1000]));
            client.flush().unwrap();
            drop(client);
            self.proxy.logged(&["connection closed", &format!("conn={number} ")]);
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.report).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}
