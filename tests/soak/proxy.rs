//! Starts, inspects and stops the proxy under test.

use std::fs;
use std::io::{BufRead, BufReader, Error};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Failure, Outcome, ensure};
use crate::log::Log;
use crate::usage::Usage;

/// Bounds the start and the end of the proxy.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The interval for conditions that can only be polled.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Makes glibc return freed memory to the kernel (mallopt(3), and "Memory Allocation Tunables" in its manual), so that
/// resident memory is memory in use. With the defaults, 16 arenas of a busy heap kept 36 MiB with 0.5 MiB in use.
const ALLOCATOR_ENV: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"),
];

/// A running proxy. Dropping it kills the process.
pub struct Proxy {
    child: Child,
    pub log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts the proxy with these routes and waits until it is ready.
    pub fn start(ip: Ipv4Addr, routes: &[String], seed: u64) -> Outcome<Self> {
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{ip}.json"));
        fs::write(&config, format!("[{}]", routes.join(",\n")))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command
            .arg("--config")
            .arg(config)
            .args(["--seed", &seed.to_string()])
            .env_remove("RUST_LOG")
            .envs(ALLOCATOR_ENV);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (log, stdout) = (Log::default(), child.stdout.take());
        let reader = child.stderr.take().map(|stderr| log.follow(stderr));
        let proxy = Self { child, log, reader };
        stdout.map_or(Ok(()), |stdout| proxy.wait_until_ready(stdout))?;
        Ok(proxy)
    }

    pub fn usage(&self) -> Outcome<Usage> {
        Usage::read(self.child.id())
    }

    /// Stops the proxy with SIGTERM. It has no connections, so it must exit with code 0.
    pub fn stop(mut self) -> Outcome {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).map_err(Error::from)?;
        let status = self.wait()?;
        ensure(status.code() == Some(0), || format!("after SIGTERM the proxy ended with {status}"))?;
        self.reader.take().map(JoinHandle::join);
        self.check_log()
    }

    /// Fails if the log contains an error or a panic.
    pub fn check_log(&self) -> Outcome {
        let errors = self.log.errors();
        ensure(errors.is_empty(), || format!("the proxy's log reports errors:\n{}", errors.join("\n")))
    }

    fn wait_until_ready(&self, stdout: ChildStdout) -> Outcome {
        let timeout = Timespec { tv_sec: TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout)).map_err(Error::from)?;
        let mut line = String::new();
        if ready == 1 {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        self.check_log()?;
        ensure(line.starts_with("ready "), || "the proxy does not get ready".to_owned())
    }

    fn wait(&mut self) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(Failure::new(format!("the proxy has not ended {} s after SIGTERM", TIMEOUT.as_secs())))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
