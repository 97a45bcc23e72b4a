//! Clients of Toxiproxy from the package registries, each driven by a script in `clients/`. A client that is not
//! installed is skipped: `tests/install-clients` installs them, and the variables PYTHON and `NODE_PATH` say where they
//! are.

use std::env;
use std::io::{Write, stderr};
use std::process::Command;

use crate::server::{Toxiproxy, UPSTREAM};

/// Runs a script against a server of its own, unless `import` can't be executed.
fn drive(program: &str, evaluate: &str, import: &str, script: &str) {
    let is_installed = Command::new(program).args([evaluate, import]).output().is_ok_and(|it| it.status.success());
    if !is_installed {
        // The test harness captures the print macros, and shows their output only for failed tests.
        let line = format!("skipped: `{program} {evaluate} \"{import}\"` fails, see tests/install-clients\n");
        return stderr().write_all(line.as_bytes()).unwrap();
    }
    let server = Toxiproxy::new();
    let script = format!("{}/tests/admin_toxiproxy/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let upstream = format!("{}:{UPSTREAM}", server.ip);
    let arguments = [script, server.ip.to_string(), server.addr.port().to_string(), upstream];
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn python() -> String {
    env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[test]
fn toxiproxy_python_works() {
    drive(&python(), "-c", "import toxiproxy", "python.py");
}

#[test]
fn chaostoolkit_works() {
    drive(&python(), "-c", "import chaostoxi", "chaostoolkit.py");
}

#[test]
fn toxiproxy_node_client_works() {
    drive("node", "-e", "require('toxiproxy-node-client')", "node.js");
}
