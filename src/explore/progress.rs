//! What an exploration prints to stderr while it runs: a line that is written anew on a terminal, or else a line for each
//! finding and one every ten seconds.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::units::duration;

/// The time between two lines that are not written anew.
const INTERVAL: Duration = Duration::from_secs(10);

/// The progress so far.
#[derive(Debug)]
pub(super) struct Progress {
    points: usize,
    findings: usize,
    /// The number of points that were tried, not taken from an earlier exploration.
    tried: u32,
    began: Instant,
    printed: Instant,
    is_terminal: bool,
}

impl Progress {
    /// The progress of trying this number of points.
    pub(super) fn of(points: usize) -> Self {
        let now = Instant::now();
        Self { points, findings: 0, tried: 0, began: now, printed: now, is_terminal: io::stderr().is_terminal() }
    }

    /// Counts a point that was tried.
    pub(super) fn tried(&mut self) {
        self.tried += 1;
    }

    /// Prints the progress after `done` points.
    pub(super) fn print(&mut self, done: usize) {
        if !self.is_terminal && self.printed.elapsed() < INTERVAL {
            return;
        }
        self.printed = Instant::now();
        let line = format!("{done} of {} points, {} found{}", self.points, self.findings, self.left(done));
        write(&if self.is_terminal { format!("\r\x1b[K{line}") } else { format!("{line}\n") });
    }

    /// The time that the remaining points take if they take as long as those before.
    fn left(&self, done: usize) -> String {
        let left = u32::try_from(self.points - done).unwrap_or(u32::MAX);
        let each = self.began.elapsed().checked_div(self.tried).unwrap_or_default();
        if left == 0 || each.is_zero() { String::new() } else { format!(", about {} left", duration(each * left)) }
    }

    /// Prints a finding, in a line that stays.
    pub(super) fn found(&mut self, finding: &str) {
        self.findings += 1;
        let erased = if self.is_terminal { "\r\x1b[K" } else { "" };
        write(&format!("{erased}found: {finding}\n"));
    }

    /// Removes the line that is written anew.
    pub(super) fn end(&self) {
        if self.is_terminal {
            write("\r\x1b[K");
        }
    }
}

fn write(text: &str) {
    // If stderr is closed, the results are still printed.
    let _ = io::stderr().write_all(text.as_bytes());
}
