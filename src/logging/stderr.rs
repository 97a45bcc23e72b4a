//! Writes log lines from a thread of its own. If the reader of stderr stops, lines are dropped and counted. On a terminal,
//! the same thread keeps the status line below them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use log::error;

use super::LogOutput;
use super::fold::{Fold, Folded};
use super::message::Message;
use super::screen::Screen;
use super::text::TextFormat;
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
        let writer = OutputWriter::new(output);
        threads::spawn("log", move || writer.run(&entries))?;
        Ok(Self { queue })
    }

    pub(super) fn writer(&self) -> QueueWriter {
        QueueWriter { queue: self.queue.clone() }
    }

    /// What writes the line below the log.
    #[must_use]
    pub fn status_writer(&self) -> StatusWriter {
        StatusWriter { queue: self.queue.clone() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        request(&self.queue, Entry::Flush);
    }
}

/// Waits until the writer has done something. The reader of stderr may have stopped. Lines not written by the timeout are
/// lost with the process.
fn request(queue: &Sender<Entry>, entry: impl FnOnce(Sender<()>) -> Entry) {
    let (done, is_done) = crossbeam_channel::bounded(1);
    if queue.send_timeout(entry(done), FLUSH_TIMEOUT).is_ok() {
        let _ = is_done.recv_timeout(FLUSH_TIMEOUT);
    }
}

/// Changes the status line. The last flush of the log erases it for good.
#[derive(Clone, Debug)]
pub struct StatusWriter {
    queue: Sender<Entry>,
}

impl StatusWriter {
    /// Shows these parts, the most important one first. The last ones are left out on a narrow terminal.
    pub fn show(&self, parts: Vec<String>) {
        // The queue is full of lines. Another status follows.
        let _ = self.queue.try_send(Entry::Status(parts));
    }

    /// Erases the line, and returns when that is done. It comes with the next [`show`](Self::show) again.
    pub fn erase(&self) {
        request(&self.queue, Entry::EraseStatus);
    }
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    Message(Box<Message>),
    Status(Vec<String>),
    EraseStatus(Sender<()>),
    Flush(Sender<()>),
}

/// Queues what `env_logger` writes, which is one whole line per call, and messages. Never blocks.
pub(super) struct QueueWriter {
    queue: Sender<Entry>,
}

impl QueueWriter {
    pub(super) fn offer(&self, message: Message) {
        self.enqueue(Entry::Message(Box::new(message)));
    }

    fn enqueue(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.enqueue(Entry::Line(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writer thread, the only one that blocks on the output.
struct OutputWriter {
    output: LogOutput,
    delivery: Delivery,
    reported: u64,
    format: TextFormat,
    fold: Fold,
    screen: Screen,
}

/// Whether all lines so far are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Complete,
    /// Some are lost, which is reported.
    Lossy,
}

/// What has to be done after a batch is written.
#[derive(Default)]
struct Requests {
    erased: Vec<Sender<()>>,
    flushed: Option<Sender<()>>,
}

impl OutputWriter {
    fn new(output: LogOutput) -> Self {
        let colors = output.terminal().colors();
        let (format, screen) = (TextFormat::new(colors), Screen::new(colors));
        Self { output, delivery: Delivery::Complete, reported: 0, format, fold: Fold::default(), screen }
    }

    fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            let first = match self.next(entries) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if first.is_some() {
                thread::sleep(BATCH_DELAY);
            }
            let flushed = self.write_batch(first.into_iter().chain(entries.try_iter()));
            self.report_losses();
            if let Some(done) = flushed {
                self.finish(entries);
                let _ = done.try_send(());
            }
        }
    }

    /// Waits for an entry, or until folded lines are due.
    fn next(&self, entries: &Receiver<Entry>) -> Result<Entry, RecvTimeoutError> {
        match self.fold.next_due() {
            Some(due) => entries.recv_deadline(due),
            None => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Writes all queued lines with one call. Returns the sender of a flush request among them.
    fn write_batch(&mut self, entries: impl Iterator<Item = Entry>) -> Option<Sender<()>> {
        let (mut lines, mut requests) = (Vec::new(), Requests::default());
        let due = self.fold.due(Instant::now());
        self.add(&mut lines, &due);
        for entry in entries.take(QUEUE_LINES) {
            self.take(entry, &mut lines, &mut requests);
        }
        let text = self.screen.around(&lines);
        self.write(&text);
        for done in requests.erased {
            let _ = done.try_send(());
        }
        requests.flushed
    }

    fn take(&mut self, entry: Entry, lines: &mut Vec<u8>, requests: &mut Requests) {
        match entry {
            Entry::Line(line) => lines.extend(line),
            Entry::Message(message) => {
                let folded = self.fold.take(*message, Instant::now());
                self.add(lines, &folded);
            }
            Entry::Status(parts) => self.screen.show(parts),
            Entry::EraseStatus(done) => {
                self.screen.hide();
                requests.erased.push(done);
            }
            Entry::Flush(done) => requests.flushed = Some(done),
        }
    }

    fn add(&mut self, lines: &mut Vec<u8>, folded: &[Folded]) {
        let columns = if folded.is_empty() { None } else { self.output.columns() };
        for folded in folded {
            lines.extend(self.format.lines(folded, columns).into_bytes());
        }
    }

    /// Writes what is left. There is no status line from now on.
    fn finish(&mut self, entries: &Receiver<Entry>) {
        self.screen.close();
        self.write_batch(entries.try_iter());
        let (mut lines, rest) = (Vec::new(), self.fold.rest());
        self.add(&mut lines, &rest);
        self.write(&lines);
    }

    /// Lines that can't be written are reported once, on stderr.
    fn write(&mut self, text: &[u8]) {
        let Err(error) = self.output.write_all(text) else { return };
        if self.delivery == Delivery::Complete {
            self.delivery = Delivery::Lossy;
            // If stderr is closed, the loss can't be reported.
            let _ = writeln!(io::stderr(), "chaos-proxy: log lines are lost: {error}");
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
}
