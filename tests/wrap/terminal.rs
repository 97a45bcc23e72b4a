//! Terminal programs: job control, and Ctrl-C.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::process::text;

/// What a person enters in a terminal, in which script(1) runs the proxy. Returns what is shown, or none without script(1).
fn session(flags: &str, command: &str, entered: &str) -> Option<String> {
    let own = env!("CARGO_BIN_EXE_chaos-proxy");
    let line = format!("{own} {flags} --listen auto --upstream 127.0.0.1:1 -- {command}; echo code $?");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("PS1", "> ").env("SHELL", "/bin/sh").env("TERM", "dumb");
    let spawned = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("skipped: there is no script(1)");
        return None;
    };
    child.stdin.as_mut().unwrap().write_all(entered.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(text(&output.stdout).replace('\r', ""))
}

#[test]
fn a_shell_has_job_control() {
    let entered = "sleep 1000 &\njobs\nkill %1\nwait %1\necho done $((6 * 7))\nexit 3\n";
    let Some(shown) = session("-q", "bash --norc -i", entered) else { return };
    assert!(shown.contains("[1]+  Running"), "{shown}");
    assert!(!shown.contains("no job control"), "{shown}");
    assert!(shown.contains("done 42") && shown.contains("code 3"), "{shown}");
}
