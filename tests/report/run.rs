//! Where a report goes, and the summary at the end of a run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::harness::{one_route, serve_echo};
use super::{NO_KEYS, path, start};

#[test]
fn a_report_that_cannot_be_written_fails_the_run() {
    let directory = path(one_route("").ip(), "directory");
    fs::create_dir_all(&directory).unwrap();
    let report = directory.join("r.json");
    let mut proxy = one_route("").args(["--report", report.to_str().unwrap()]).start();
    fs::remove_dir(&directory).unwrap();
    assert_eq!(proxy.stop(), 1);
    proxy.logged(&["level=error msg=\"report not written\"", "No such file or directory"]);
}

/// A run of an hour should not end without its report.
#[test]
fn a_path_that_no_report_can_be_written_to_is_found_before_the_run() {
    let target = env!("CARGO_TARGET_TMPDIR");
    for (path, reason) in [("no-such-directory/r.json", "No such file or directory"), ("", "is a directory")] {
        let path = format!("{target}/{path}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.args(["--listen", "auto", "--upstream", "127.0.0.1:9", "--report", &path, "--", "true"]);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(&format!("chaos-proxy: can't write --report {path}: {reason}")), "{stderr}");
    }
}

/// The file is replaced as a whole, and nothing is left beside it.
#[test]
fn an_older_report_is_replaced_and_a_link_to_it_stays() {
    let mut run = start("link.json", NO_KEYS, "", &[]);
    let target = path(run.proxy.ip, "target.json");
    fs::write(&target, "old").unwrap();
    symlink(&target, &run.report).unwrap();
    assert_eq!(run.proxy.stop(), 0);
    assert!(fs::symlink_metadata(&run.report).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), run.text());
    assert_eq!(run.json()["verdict"], "pass");
    let part = format!("report-{}-", run.proxy.ip);
    let left = fs::read_dir(target.parent().unwrap()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    assert!(left.filter(|name| name.starts_with(&part)).all(|name| !name.contains(".part")));
}

#[test]
fn a_report_on_stdout_follows_the_ready_line() {
    let setup = one_route("");
    let ip = setup.ip();
    let route = ["--listen".to_owned(), format!("{ip}:8180"), "--upstream".to_owned(), format!("{ip}:9090")];
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
    command.args(route).args(["--report", "-"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut ready, mut report) = (String::new(), String::new());
    stdout.read_line(&mut ready).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    stdout.read_to_string(&mut report).unwrap();
    assert!(child.wait().unwrap().success() && ready.starts_with("ready "));
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["config"], Value::Null);
}

#[test]
fn the_log_ends_with_what_each_route_has_done_and_how_to_repeat_it() {
    let setup = one_route(r#""name": "a b""#);
    serve_echo(setup.upstream());
    let mut proxy = setup.args(["--log-format", "json"]).start();
    assert!(super::echoes(&proxy.connect(), b"hello"));
    proxy.logged(&["connection closed"]);
    assert_eq!(proxy.stop(), 0);
    let lines: Vec<Value> = proxy.log_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., totals, repeat] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&totals["msg"], &totals["route"]), (&Value::from("route totals"), &Value::from("a b")));
    assert_eq!((&totals["accepted"], &totals["bytes_down"]), (&Value::from(1), &Value::from(5)));
    let seed = lines.iter().find(|line| line["msg"] == "starting").unwrap()["seed"].as_u64().unwrap();
    let command = repeat["command"].as_str().unwrap();
    let words = Command::new("sh").arg("-c").arg(format!("printf '%s\\n' {command}")).output().unwrap().stdout;
    let words = String::from_utf8(words).unwrap();
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(words[..3], [env!("CARGO_BIN_EXE_chaos-proxy"), "--seed", &seed.to_string()]);
    assert_eq!(words[words.len() - 2..], ["--log-format", "json"]);
}

#[test]
fn a_quiet_run_and_one_without_connections_have_no_summary() {
    for args in [&["--quiet"][..], &[]] {
        let mut run = start("r.json", NO_KEYS, "", args);
        if !args.is_empty() {
            assert!(super::echoes(&run.proxy.connect(), b"hello"));
        }
        assert_eq!(run.proxy.stop(), 0);
        assert!(run.proxy.lines(&["route totals"]).is_empty() && run.proxy.lines(&["to repeat"]).is_empty());
    }
}
