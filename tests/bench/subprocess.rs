//! Runs this program again as a subprocess. It reports in lines on its stdout and ends at the end of its stdin: when its
//! owner drops it or dies.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Outcome;

const FAILED: &str = "failed: ";

/// Dropping it ends the process and waits for it.
pub struct Subprocess {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Subprocess {
    /// In a process group of its own: Ctrl-C must not kill it before it has cleaned up its own children.
    pub fn start<'a>(args: impl IntoIterator<Item = &'a str>) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("no pipe to a subprocess")?;
        Ok(Self { child, stdout: BufReader::new(stdout) })
    }

    /// Waits for its next line. A failure that it reports is the error.
    pub fn read_line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) if line.starts_with(FAILED) => Err(line[FAILED.len()..].into()),
            Some(line) => Ok(line.to_owned()),
            None => Err("a process of the benchmark ended early".into()),
        }
    }

    /// Ends its wait in [`wait_for_start`].
    pub fn begin(&mut self) -> Outcome<()> {
        Ok(self.child.stdin.as_mut().ok_or("no pipe to a subprocess")?.write_all(b"\n")?)
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Subprocess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In the subprocess: reports a failure to its owner.
pub fn report_failure(outcome: Outcome<()>) {
    if let Err(error) = outcome {
        println!("{FAILED}{}", error.to_string().replace('\n', " "));
    }
}

/// In the subprocess: reports that it is ready and waits for [`Subprocess::begin`].
pub fn wait_for_start() -> io::Result<()> {
    println!();
    io::stdin().read_line(&mut String::new()).map(drop)
}

/// In the subprocess: waits until its owner drops it.
pub fn wait_for_end() {
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
