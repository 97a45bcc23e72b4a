//! Ports that the system chooses.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::process::{Running, chaos_proxy, code, text};

fn ready(running: &mut Running) -> Vec<u16> {
    let line = running.line();
    let ports = line.split_once("ports=").unwrap().1.split(' ').next().unwrap();
    ports.split(',').map(|port| port.parse().unwrap()).collect()
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn twenty_proxies_at_once_have_ports_of_their_own() {
    let start = |_| Running::start(chaos_proxy(&["-q", "configs/valid/auto_port.json"]));
    let mut proxies: Vec<Running> = (0..20).map(start).collect();
    let ports: HashSet<u16> = proxies.iter_mut().flat_map(ready).collect();
    assert_eq!(ports.len(), 40);
    for proxy in &mut proxies {
        proxy.signal(Signal::SIGTERM);
        assert_eq!(proxy.end(), 0);
    }
}

#[test]
fn a_reload_keeps_the_port() {
    let route = |keys: &str| format!(r#"[{{"name": "db", "localPort": "auto", "upstream": "127.0.0.1:1"{keys}}}]"#);
    let config = file("reload_auto.json", &route(""));
    let log = file("reload_auto.log", "");
    let mut running = Running::start(chaos_proxy(&[&config, "--log-file", &log]));
    let port = ready(&mut running)[0];
    fs::write(
        &config,
        route(r#", "latencyMs": 5, "upstream": "127.0.0.1:2""#).replacen(r#", "upstream": "127.0.0.1:1""#, "", 1),
    )
    .unwrap();
    running.signal(Signal::SIGHUP);
    crate::process::wait_until("the reload", || fs::read_to_string(&log).unwrap().contains("config reloaded"));
    let log = fs::read_to_string(&log).unwrap();
    let listening = format!("addr=127.0.0.1:{port} ");
    assert_eq!(log.matches(&listening).count(), 2, "{log}");
    assert!(log.contains("change=\"latencyMs 0 -> 5; upstream"), "{log}");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), 0);
}

#[test]
fn an_address_may_stand_before_the_word() {
    for (listen, expected) in [("auto", "127.0.0.1:"), ("127.0.0.2:auto", "127.0.0.2:"), ("[::1]:auto", "[::1]:")] {
        let args = ["-q", "--listen", listen, "--upstream", "127.0.0.1:1", "--", "echo", "{auto.addr}"];
        let output = chaos_proxy(&args).output().unwrap();
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with(expected), "{}", text(&output.stdout));
    }
}

#[test]
fn check_accepts_a_port_that_is_chosen() {
    let args = ["--check", "configs/valid/auto_port.json"];
    let checked = chaos_proxy(&args).output().unwrap();
    let table = text(&checked.stdout);
    assert!(table.contains("127.0.0.1:auto") && table.ends_with("ok: 2 routes\n"), "{table}");
    let compared = chaos_proxy(&[&args[..], &["--against", "configs/valid/auto_port.json"]].concat()).output().unwrap();
    assert_eq!(text(&compared.stdout), "no change\n");
}
