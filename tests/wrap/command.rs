//! How a command is started, what it is given, and how the run ends with it.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::process::{Running, chaos_proxy, code, text, upstream, wrapping, wrapping_script};

#[test]
fn the_exit_code_is_that_of_the_command() {
    for (script, expected) in
        [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
    {
        let output = wrapping_script(&[], script).output().unwrap();
        assert_eq!(code(&output), expected, "{script}: {}", text(&output.stderr));
    }
}

#[test]
fn a_command_that_cannot_be_started_is_127_or_126_with_the_reason() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("not_executable");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    let file = file.to_str().unwrap();
    let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no_interpreter");
    fs::write(&script, "#!/no/such\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for (program, expected, reason) in [
        (
            "no-such-command",
            127,
            "chaos-proxy: can't run no-such-command: there is no such command: check its spelling",
        ),
        ("/no/such", 127, "chaos-proxy: can't run /no/such: there is no such command"),
        (file, 126, "it is not executable: `chmod +x` makes a script executable"),
        ("/", 126, "chaos-proxy: can't run /: it is a directory"),
        (script, 127, "the interpreter that it names is missing: check its first line"),
        ("", 127, "chaos-proxy: can't run '': there is no such command"),
    ] {
        let output = wrapping(&["-q"], &[program]).output().unwrap();
        assert_eq!((code(&output), output.stdout.is_empty()), (expected, true), "{program}");
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
}

#[test]
fn the_program_is_found_in_path_and_its_arguments_are_untouched() {
    let output =
        wrapping(&["-q"], &["printf", "<%s>", "-v", "--", "a b", "", "*", "$HOME", "{}", "--seed=1"]).output().unwrap();
    assert_eq!(text(&output.stdout), "<-v><--><a b><><*><$HOME><{}><--seed=1>");
    let missing = wrapping(&["-q"], &["printf", "x"]).env("PATH", "/no/such").output().unwrap();
    assert_eq!(code(&missing), 127);
}

#[test]
fn stdin_and_stdout_are_those_of_the_command() {
    let mut running = Running::start(wrapping(&["-q"], &["cat"]));
    running.write("one\n");
    assert_eq!(running.line(), "one");
    running.write("two\n");
    assert_eq!(running.line(), "two");
    drop(running.stdin());
    assert_eq!(running.end(), 0);
}

#[test]
fn the_environment_has_the_seed_and_the_addresses_of_routes() {
    let script = "echo $CHAOS_PROXY_SEED $CHAOS_PROXY_AUTO_PORT $CHAOS_PROXY_AUTO_ADDR $CHAOS_PROXY_ADMIN";
    let output = wrapping_script(&["-q", "--seed", "42"], script).output().unwrap();
    let words: Vec<&str> = text(&output.stdout).split_whitespace().collect();
    let [seed, port, addr] = words[..] else { panic!("{words:?}") };
    assert_eq!((seed, addr), ("42", &*format!("127.0.0.1:{port}")));
}

#[test]
fn the_command_controls_the_proxy_through_ctl() {
    let own = env!("CARGO_BIN_EXE_chaos-proxy");
    let script = format!("{own} ctl routes && {own} ctl disable auto && ! {own} ctl --token wrong routes");
    // The port of this server can't be chosen, so another proxy may have it at the same time.
    let admin = format!("127.0.{}.{}:8474", std::process::id() / 250 % 250, std::process::id() % 250 + 1);
    let output = wrapping_script(&["-q", "--admin", &admin, "--admin-token", "t"], &script).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("auto\t") && text(&output.stdout).ends_with("\ndisabled auto\n"));
}

#[test]
fn placeholders_are_replaced() {
    let output = wrapping_script(&["-q"], "[ {auto.port} = $CHAOS_PROXY_AUTO_PORT ] && echo {auto.addr} {auto.x}")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("127.0.0.1:") && text(&output.stdout).ends_with(" {auto.x}\n"));
    let output = wrapping(&[], &["echo", "{db.port}"]).output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (2, ""));
    assert!(text(&output.stderr).contains("`{db.port}` in the command names no route: the routes are auto"));
}

#[test]
fn two_routes_with_the_same_variables_are_an_error() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("same_variables.json");
    let routes =
        ["db-1", "DB.1"].map(|name| format!(r#"{{"name": "{name}", "localPort": "auto", "upstream": "127.0.0.1:1"}}"#));
    fs::write(&file, format!("[{}]", routes.join(","))).unwrap();
    let output = chaos_proxy(&[file.to_str().unwrap(), "--", "echo", "x"]).output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (2, ""));
    assert!(text(&output.stderr).contains("the routes `db-1` and `DB.1` would both set CHAOS_PROXY_DB_1_PORT"));
}

/// The command must not notice what the proxy has set for itself. A shell changes the mask, so there is none.
#[test]
fn the_command_begins_with_the_limits_and_signals_of_the_caller() {
    let own = env!("CARGO_BIN_EXE_chaos-proxy");
    let flags = "-q --watch configs/valid/auto_port.json";
    let script = format!(
        "ulimit -Sn 100
        {own} {flags} -- grep SigBlk: /proc/self/status
        {own} {flags} -- cat /proc/self/timerslack_ns
        {own} {flags} -- sh -c 'ulimit -Sn'"
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).stderr(Stdio::inherit()).output().unwrap();
    assert_eq!(text(&output.stdout), "SigBlk:\t0000000000000000\n50000\n100\n");
}

#[test]
fn the_command_can_connect_at_once() {
    let (_listener, addr) = upstream();
    let script = "for i in 1 2 3; do exec 3<>/dev/tcp/127.0.0.1/$CHAOS_PROXY_AUTO_PORT || exit 1; exec 3>&-; done";
    let flags = ["--listen", "auto", "--upstream", &addr, "--drain-timeout", "0"];
    let output = chaos_proxy(&[&flags[..], &["--", "bash", "-c", script]].concat()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

/// A command that prints the port and ends after a line, with a connection of another process.
fn with_connection(drain_timeout: &str) -> (Running, TcpStream, TcpStream) {
    let (listener, addr) = upstream();
    let args = ["--listen", "auto", "--upstream", &addr, "--drain-timeout", drain_timeout];
    let command = ["--", "sh", "-c", "echo $CHAOS_PROXY_AUTO_PORT; read line; exit 5"];
    let mut running = Running::start(chaos_proxy(&[&args[..], &command].concat()));
    let port: u16 = running.line().parse().unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    (running, client, listener.accept().unwrap().0)
}

/// Cutting them is no failure of the command.
#[test]
fn connections_that_outlast_the_command_are_cut() {
    let (mut running, mut client, _server) = with_connection("0.2");
    running.write("\n");
    assert_eq!(running.end(), 5);
    let cut = client.read(&mut [0]).unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_drain_ends_with_the_last_connection() {
    let (mut running, mut client, mut server) = with_connection("3600");
    running.write("\n");
    // Bytes still pass after the command has ended.
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
    drop((client, server));
    assert_eq!(running.end(), 5);
}

#[test]
fn an_address_in_use_is_an_error_before_the_command_begins() {
    let (_listener, addr) = upstream();
    let output = chaos_proxy(&["--listen", &addr, "--upstream", "127.0.0.1:1", "--", "echo", "x"]).output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    assert!(text(&output.stderr).contains("can't listen"));
}

#[test]
fn the_log_has_the_command_and_how_it_ended() {
    let output = wrapping(&["--log-format", "json"], &["sh", "-c", "exit 4"]).output().unwrap();
    let log = text(&output.stderr);
    assert!(
        log.contains(r#""msg":"command started""#) && log.contains(r#""command":"sh -c 'exit 4'","ports":"#),
        "{log}"
    );
    assert!(log.contains(r#""msg":"command ended","status":"exit code 4"}"#), "{log}");
}
