//! A reload of the config file, as the API requests it.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use chaos_proxy::config::Defaults;
use chaos_proxy::plan::Plan;
use chaos_proxy::reload::Reloader;

use crate::harness::OneRoute;
use crate::proxy::Proxy;
use crate::server::{ask, get, serve_with, text};

/// A config file that is removed at the end.
struct File(PathBuf);

impl File {
    fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn serve(proxy: &Proxy) -> (File, SocketAddr) {
    let file = File(env::temp_dir().join(format!("chaos-proxy-{}.json", proxy.ip)));
    let defaults = Defaults { bind: proxy.ip.into(), ..Defaults::default() };
    let supervisor = Arc::clone(&proxy.supervisor);
    let make_live = move |plan: &Plan, origin| supervisor.apply(plan, origin);
    let reloader = Reloader::new(file.0.clone(), Plan::default(), defaults, make_live);
    let addr = serve_with(proxy, |api| api.with_reloader(Arc::new(reloader)));
    (file, addr)
}

fn results(addr: SocketAddr) -> Vec<String> {
    let text = get(addr, "/metrics");
    text.lines().filter_map(|line| line.strip_prefix("chaos_proxy_reloads_total")).map(str::to_owned).collect()
}

#[test]
fn a_reload_answers_with_its_changes() {
    let run = OneRoute::new(&[]);
    let (file, addr) = serve(&run.proxy);
    let pair = run.pair();
    file.write(&format!("[{}, {}]", run.proxy.route("r", 8180, r#""latencyMs": 5"#), run.proxy.route("b", 8181, "")));
    let answer = ask(addr, "POST", "/v1/reload", "");
    let changes = "{\"changes\":[{\"route\":\"r\",\"change\":\"latencyMs 0 -> 5\",\"connections\":1},\
                   {\"route\":\"b\",\"change\":\"added, IP:8181 -> IP:9090\",\"connections\":0}]}\n";
    assert_eq!(text(&run.proxy, &answer), (200, changes.to_owned()));
    assert!(pair.forwards());
    assert_eq!(text(&run.proxy, &ask(addr, "POST", "/v1/reload", "")), (200, "{\"changes\":[]}\n".to_owned()));
    assert_eq!(results(addr), [r#"{result="success"} 2"#, r#"{result="failure"} 0"#]);
}

#[test]
fn a_file_with_problems_changes_nothing() {
    let run = OneRoute::new(&[]);
    let (file, addr) = serve(&run.proxy);
    let before = run.proxy.supervisor.configured();
    file.write("[\n{\"localPort\": 0, \"upstream\": \"127.0.0.1:9090\"}]");
    let answer = ask(addr, "POST", "/v1/reload", "");
    let error = format!(
        "{{\"error\":\"{}: 1 problem\",\"status\":400,\"problems\":[{{\"line\":2,\"column\":15,\
         \"what\":\"port 0 is out of range\",\"hint\":\"use 1 to 65535, or \\\"auto\\\" for a port that is free\"}}]}}\n",
        file.0.display()
    );
    assert_eq!((answer.status, answer.text()), (400, &*error));
    assert_eq!(run.proxy.supervisor.configured(), before);
    assert_eq!(results(addr), [r#"{result="success"} 0"#, r#"{result="failure"} 1"#]);
    assert!(get(addr, "/metrics").contains("\nchaos_proxy_last_reload_success_time_seconds 1"));
}

/// Reading a pipe without a writer would take forever.
#[test]
fn a_pipe_in_place_of_the_file_is_an_error() {
    let run = OneRoute::new(&[]);
    let (file, addr) = serve(&run.proxy);
    assert!(Command::new("mkfifo").arg(&file.0).status().unwrap().success());
    let answer = ask(addr, "POST", "/v1/reload", "");
    assert!(answer.status == 400 && answer.text().contains("put a regular file there"), "{}", answer.text());
}
