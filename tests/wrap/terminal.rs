//! Terminal programs: job control, and Ctrl-C.

use std::process::{Command, Stdio};

use crate::process::Running;

/// The proxy around a script of bash in a terminal, which script(1) makes. None without script(1).
fn in_terminal(level: &str, command: &str) -> Option<Running> {
    let exists = Command::new("script").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !exists {
        eprintln!("skipped: there is no script(1)");
        return None;
    }
    let own = env!("CARGO_BIN_EXE_chaos-proxy");
    // Without the exec, the shell in between would be interrupted too, and its exit code would replace the other one.
    let line =
        format!("exec {own} --log-format logfmt --log {level} --listen auto --upstream 127.0.0.1:1 -- {command}");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("PS1", "").env("SHELL", "/bin/sh").env("TERM", "dumb");
    script.stdout(Stdio::piped());
    Some(Running::start(script))
}

/// Reads lines until one is `expected`. Returns those before it.
fn lines_before(running: &mut Running, expected: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = running.line();
        if line == expected {
            return lines;
        }
        lines.push(line);
    }
}

#[test]
fn a_shell_has_job_control() {
    let Some(mut running) = in_terminal("error", "bash --norc -i") else { return };
    running.write("stty -echo; sleep 1000 & jobs; kill %1; wait %1; fg; echo $((6 * 7))\n");
    let lines = lines_before(&mut running, "42").join("\n");
    assert!(lines.contains("[1]+  Running") && lines.contains("Terminated"), "{lines}");
    assert!(!lines.contains("no job control"), "{lines}");
    running.write("exit 3\n");
    assert_eq!(running.end(), 3);
}

/// A program that a shell in the proxy has in the foreground is interrupted, and nothing else.
#[test]
fn ctrl_c_in_a_shell_ends_only_what_the_shell_runs() {
    let Some(mut running) = in_terminal("error", "bash --norc -i") else { return };
    running.write("stty -echo; sh -c 'echo began; exec sleep 1000'\n");
    lines_before(&mut running, "began");
    // The shell discards the rest of a line whose program is interrupted.
    running.write("\x03echo code $?\n");
    lines_before(&mut running, "code 130");
    running.write("exit 4\n");
    assert_eq!(running.end(), 4);
}

/// The terminal sends it to the command and to the proxy, which must not forward it again.
#[test]
fn ctrl_c_reaches_the_command_once() {
    let script = r#"sh -c 'trap "echo INT" INT; stty -echo; echo began; read a; read b; echo end; exit 9'"#;
    let Some(mut running) = in_terminal("error", script) else { return };
    lines_before(&mut running, "began");
    // A signal just before `read` blocks does not wake it: a line does.
    running.write("\x03line\n");
    let lines = lines_before(&mut running, "INT");
    assert!(lines.iter().all(|line| line == "^C" || line.is_empty()), "{lines:?}");
    running.write("line\n");
    assert_eq!(lines_before(&mut running, "end"), [""; 0]);
    assert_eq!(running.end(), 9);
}

#[test]
fn a_second_ctrl_c_kills_the_command() {
    let script = r#"sh -c 'trap "echo INT" INT; stty -echo; echo began; while :; do read line; done'"#;
    let Some(mut running) = in_terminal("info", script) else { return };
    lines_before(&mut running, "began");
    running.write("\x03");
    // Until the proxy has taken the first signal, the kernel would merge a second one with it.
    while !running.line().ends_with(r#"msg="command signalled" signal=SIGINT by=terminal"#) {}
    running.write("\x03");
    assert_eq!(running.end(), 137);
}

/// A test may do that on the machine of a developer, where the proxy has a terminal.
#[test]
fn a_sigint_of_another_process_is_forwarded() {
    let script = r#"sh -c 'trap "exit 9" INT; stty -echo; kill -INT $PPID; while :; do read line; done'"#;
    let Some(mut running) = in_terminal("error", script) else { return };
    // A line wakes `read`.
    assert_eq!(running.end_after("line\n"), 9);
}
