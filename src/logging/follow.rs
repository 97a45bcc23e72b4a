//! Readers of the log inside the process. Each receives the records of level info and above as JSON lines, whatever is
//! logged to stderr. A reader that is too slow loses lines and is informed of their number.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::{Level, LevelFilter, Metadata, Record};

use super::format::write_json;

/// The most lines that wait for a reader: about 300 KiB, which all readers share.
const QUEUE_LINES: usize = 1024;

/// The number of readers. Without one, a record costs one load of it.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Static, like the logger that fills the queues.
static READERS: Mutex<Readers> = Mutex::new(Readers { queues: Vec::new(), stderr_level: LevelFilter::Off });

struct Readers {
    queues: Vec<Arc<Queue>>,
    /// The maximum level without readers.
    stderr_level: LevelFilter,
}

/// A reader of the log, until it is dropped.
#[derive(Debug)]
pub struct Follower(Arc<Queue>);

/// Registers a reader of all records of level info and above from now on. Call it after [`super::start`].
#[must_use]
pub fn follow() -> Follower {
    let queue = Arc::default();
    readers().add(Arc::clone(&queue));
    Follower(queue)
}

impl Follower {
    /// Returns the lines since the last call, each with its line end. Waits for the first one, and returns `None` if
    /// there is none before the timeout.
    #[must_use]
    pub fn next_lines(&self, timeout: Duration) -> Option<Vec<u8>> {
        let Pending { lines, lost } = self.0.take(timeout);
        let mut bytes = lines.concat();
        if lost > 0 {
            bytes.extend(loss_report(lost).unwrap_or_default());
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        readers().remove(&self.0);
    }
}

/// Whether a record with this metadata has a reader. No reader asks for debug lines, so that `log_enabled!` at level
/// debug still answers for stderr alone.
pub(super) fn wants(metadata: &Metadata<'_>) -> bool {
    metadata.level() <= Level::Info && COUNT.load(Ordering::Relaxed) > 0
}

/// Formats the record once and queues it for all readers.
pub(super) fn publish(record: &Record<'_>) {
    if !wants(record.metadata()) {
        return;
    }
    // A value that can't be formatted has no line on stderr either.
    if let Ok(line) = json_line(record) {
        let line = line.into();
        readers().queues.iter().for_each(|queue| queue.offer(&line));
    }
}

fn json_line(record: &Record<'_>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    write_json(&mut line, record)?;
    Ok(line)
}

fn loss_report(lost: u64) -> io::Result<Vec<u8>> {
    let (mut report, values) = (Record::builder(), [("lost", lost)]);
    report.level(Level::Warn).key_values(&values);
    json_line(&report.args(format_args!("events lost, this reader is too slow")).build())
}

fn readers() -> MutexGuard<'static, Readers> {
    READERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    /// The log macros compare with the maximum level before they call the logger, so readers raise it. The logger
    /// applies stderr's own filter afterwards.
    fn add(&mut self, queue: Arc<Queue>) {
        if self.queues.is_empty() {
            self.stderr_level = log::max_level();
            log::set_max_level(self.stderr_level.max(LevelFilter::Info));
        }
        self.queues.push(queue);
        COUNT.store(self.queues.len(), Ordering::Relaxed);
    }

    fn remove(&mut self, queue: &Arc<Queue>) {
        self.queues.retain(|other| !Arc::ptr_eq(other, queue));
        COUNT.store(self.queues.len(), Ordering::Relaxed);
        if self.queues.is_empty() {
            log::set_max_level(self.stderr_level);
        }
    }
}

/// The lines that wait for one reader. The lock is held for the copy of a pointer, never while a reader writes.
#[derive(Debug, Default)]
struct Queue {
    pending: Mutex<Pending>,
    arrived: Condvar,
}

/// A reader takes everything at once, so the lost lines always come after the queued ones.
#[derive(Debug, Default)]
struct Pending {
    lines: Vec<Arc<[u8]>>,
    lost: u64,
}

impl Queue {
    fn offer(&self, line: &Arc<[u8]>) {
        let mut pending = self.pending();
        if pending.lines.len() == QUEUE_LINES {
            pending.lost += 1;
            return;
        }
        pending.lines.push(Arc::clone(line));
        // Only a reader without lines waits. Each wake-up costs a system call.
        if pending.lines.len() == 1 {
            self.arrived.notify_one();
        }
    }

    /// Waits until a line is queued or the timeout has passed, and takes all lines.
    fn take(&self, timeout: Duration) -> Pending {
        let waited = self.arrived.wait_timeout_while(self.pending(), timeout, |pending| pending.lines.is_empty());
        mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that the logger does not know.
    fn follower() -> Follower {
        Follower(Arc::default())
    }

    fn offer(follower: &Follower, numbers: impl IntoIterator<Item = usize>) {
        numbers.into_iter().for_each(|number| follower.0.offer(&format!("{number}\n").into_bytes().into()));
    }

    fn lines(follower: &Follower) -> Vec<String> {
        let lines = follower.next_lines(Duration::ZERO).unwrap_or_default();
        String::from_utf8(lines).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    #[test]
    fn takes_all_lines_in_order() {
        let follower = follower();
        assert_eq!(follower.next_lines(Duration::ZERO), None);
        offer(&follower, 0..3);
        assert_eq!(lines(&follower), ["0", "1", "2"]);
        assert_eq!(follower.next_lines(Duration::ZERO), None);
    }

    #[test]
    fn reports_lost_lines_in_their_place() {
        let follower = follower();
        offer(&follower, 0..QUEUE_LINES + 7);
        let kept = lines(&follower);
        assert_eq!(kept.len(), QUEUE_LINES + 1);
        assert_eq!(kept[QUEUE_LINES - 1], (QUEUE_LINES - 1).to_string());
        let report = r#"","level":"warn","msg":"events lost, this reader is too slow","lost":7}"#;
        assert!(kept[QUEUE_LINES].ends_with(report), "{}", kept[QUEUE_LINES]);
        offer(&follower, [2000]);
        assert_eq!(lines(&follower), ["2000"], "the loss is reported once");
    }

    #[test]
    fn a_line_ends_the_wait() {
        let follower = follower();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| follower.next_lines(Duration::from_secs(30)));
            offer(&follower, [1]);
            assert_eq!(reader.join().expect("no panic"), Some(b"1\n".to_vec()));
        });
    }
}
