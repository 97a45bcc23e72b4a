//! Starts the real binary around a command, and reads what the command prints. Waits are for conditions, and
//! [`TIMEOUT`] turns a hang into a failure.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

/// Far longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The binary with these arguments, as a CI job starts it.
pub fn chaos_proxy(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
    command.env_remove("RUST_LOG").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One route called `auto` on a free port, and this command.
pub fn wrapping(flags: &[&str], command: &[&str]) -> Command {
    let route = ["--listen", "auto", "--upstream", "127.0.0.1:1"];
    chaos_proxy(&[&route[..], flags, &["--"], command].concat())
}

/// The same for a script of the shell.
pub fn wrapping_script(flags: &[&str], script: &str) -> Command {
    wrapping(flags, &["sh", "-c", script])
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The exit code; a panic shows what was logged.
#[track_caller]
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{}", text(&output.stderr)))
}

/// A running binary. Dropping it kills it.
pub struct Running {
    child: Child,
    stdout: ChildStdout,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self { child, stdout }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// The next line that the command prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        while !line.ends_with('\n') {
            let ready = poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], Some(&timeout()));
            assert_eq!(ready, Ok(1), "no line after {line:?}");
            let mut byte = [0];
            assert_eq!(self.stdout.read(&mut byte).unwrap(), 1, "the end of stdout after {line:?}");
            line.push(byte[0].into());
        }
        line.trim_end().to_owned()
    }

    /// The same as the number of a process.
    pub fn pid_line(&mut self) -> Pid {
        Pid::from_raw(self.line().parse().unwrap())
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    pub fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn ends_within(&self, timeout: Duration) -> bool {
        let pidfd = pidfd_open(rustix::process::Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let timeout = Timespec::try_from(timeout).unwrap();
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)).unwrap() == 1
    }

    /// Writes a text every 100 ms until it ends. Returns what [`end`](Self::end) does.
    pub fn end_after(&mut self, text: &str) -> i32 {
        let began = Instant::now();
        while !self.ends_within(Duration::from_millis(100)) {
            assert!(began.elapsed() < TIMEOUT, "it does not end");
            self.write(text);
        }
        self.end()
    }

    /// Waits until it ends: its exit code, or 128 + the number of the signal that has killed it.
    pub fn end(&mut self) -> i32 {
        assert!(self.ends_within(TIMEOUT), "it does not end");
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn timeout() -> Timespec {
    Timespec::try_from(TIMEOUT).unwrap()
}

/// Waits until a condition holds that nothing signals.
#[track_caller]
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < TIMEOUT, "it never happened: {what}");
        std::thread::yield_now();
    }
}

/// Whether a process is gone, and has left no zombie.
pub fn is_gone(pid: Pid) -> bool {
    !fs::exists(format!("/proc/{pid}")).unwrap()
}

/// An upstream that accepts connections, and the flag that names it.
pub fn upstream() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    (listener, addr)
}
