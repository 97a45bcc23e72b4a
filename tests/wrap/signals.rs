//! Signals to the proxy, to its process group, and its own death.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};

use crate::process::{Running, is_gone, wait_until, wrapping_script};

/// Prints its number, then the name of each signal that arrives.
///
/// A signal that arrives just before `read` blocks does not wake it, but `wait` has no such gap. What it waits for ends
/// with the test's end of stdin.
const LOOP: &str =
    "trap 'echo INT' INT; trap 'echo TERM' TERM; exec 3<&0; cat <&3 >/dev/null & echo $$; until wait $!; do :; done";

fn looping() -> Running {
    Running::start(wrapping_script(&["-q"], LOOP))
}

#[test]
fn signals_are_forwarded() {
    for (signal, name, second) in [(Signal::SIGTERM, "TERM", Signal::SIGINT), (Signal::SIGINT, "INT", Signal::SIGTERM)]
    {
        let mut running = looping();
        let pid = running.pid_line();
        running.signal(signal);
        assert_eq!(running.line(), name);
        running.signal(second);
        assert_eq!(running.end(), 137);
        assert!(is_gone(pid));
    }
}

#[test]
fn a_signal_that_ends_the_command_is_its_exit_code() {
    for (signal, expected) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let mut running = Running::start(wrapping_script(&["-q"], "echo $$; exec sleep 1000"));
        let pid = running.pid_line();
        running.signal(signal);
        assert_eq!(running.end(), expected);
        assert!(is_gone(pid));
    }
}

#[test]
fn the_command_may_end_by_itself_after_a_signal() {
    let script = "trap 'echo cleaned; exit 9' TERM; exec 3<&0; cat <&3 >/dev/null & echo $$; wait $!";
    let mut running = Running::start(wrapping_script(&["-q"], script));
    running.pid_line();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.line(), "cleaned");
    assert_eq!(running.end(), 9);
}

/// timeout(1) passes a signal on as it sends its own: to the proxy, and then to the process group of both.
#[test]
fn a_timeout_does_not_kill_the_command() {
    let own = env!("CARGO_BIN_EXE_chaos-proxy");
    let script = "trap 'sleep 0.1; exit 9' TERM; exec 3<&0; cat <&3 >/dev/null & echo $$; wait $!";
    let start = |_| {
        let mut command = Command::new("timeout");
        command.args(["1000", own, "-q", "--listen", "auto", "--upstream", "127.0.0.1:1", "--"]);
        command.args(["sh", "-c", script]).stdout(Stdio::piped());
        Running::start(command)
    };
    let mut all: Vec<Running> = (0..8).map(start).collect();
    for timeout in &mut all {
        timeout.pid_line();
        timeout.signal(Signal::SIGTERM);
    }
    assert_eq!(all.iter_mut().map(Running::end).collect::<Vec<_>>(), [9; 8]);
}

/// As CI runners do it.
#[test]
fn a_signal_to_the_group_ends_both() {
    let mut command = wrapping_script(&["-q"], "echo $$; exec sleep 1000");
    command.process_group(0);
    let mut running = Running::start(command);
    let pid = running.pid_line();
    killpg(running.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(running.end(), 143);
    assert!(is_gone(pid));
}

#[test]
fn the_command_ends_with_a_proxy_that_is_killed() {
    let mut running = Running::start(wrapping_script(&["-q"], "echo $$; exec sleep 1000"));
    let pid = running.pid_line();
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end(), 137);
    wait_until("the end of the command", || is_gone(pid) || is_zombie(pid));
}

/// After the proxy has died, its place as the parent is taken by a process that may not remove zombies, as in a
/// container.
fn is_zombie(pid: nix::unistd::Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn the_command_gets_a_chance_to_clean_up_when_the_proxy_is_killed() {
    let script = "trap 'echo cleaned; exit' TERM; exec 3<&0; cat <&3 >/dev/null & echo $$; wait $!";
    let mut running = Running::start(wrapping_script(&["-q"], script));
    running.pid_line();
    running.signal(Signal::SIGKILL);
    assert_eq!(running.line(), "cleaned");
}

/// SIGQUIT prints the state of many programs. The proxy goes on.
#[test]
fn the_proxy_leaves_sigquit_to_the_command() {
    let mut command =
        wrapping_script(&["-q"], "trap 'echo QUIT; exit 8' QUIT; exec 3<&0; cat <&3 >/dev/null & echo $$; wait $!");
    command.process_group(0);
    let mut running = Running::start(command);
    running.pid_line();
    killpg(running.pid(), Signal::SIGQUIT).unwrap();
    assert_eq!(running.line(), "QUIT");
    assert_eq!(running.end(), 8);
}
