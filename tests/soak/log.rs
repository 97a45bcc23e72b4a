//! Follows the proxy's log: which connections are open, and which lines report errors.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// The number of lines kept per route, to be printed with a failure.
const LAST_LINES: usize = 16;

/// The log as read so far.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    last: HashMap<String, VecDeque<String>>,
    /// `route=… conn=… client=…` of each open connection.
    open: BTreeSet<String>,
    lost: u64,
    errors: Vec<String>,
}

impl Log {
    /// Reads `source` on a separate thread until the proxy closes it.
    pub fn follow(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                log.lines().take(line);
            }
        })
    }

    /// Connections logged as opened and not as closed. The proxy reports the number of lines that it dropped because
    /// its log was read too slowly. Each of them may be a missing `connection closed`, so that many connections are not
    /// counted.
    pub fn open_connections(&self) -> Vec<String> {
        let lines = self.lines();
        let doubtful = usize::try_from(lines.lost).unwrap_or(usize::MAX);
        lines.open.iter().skip(doubtful).cloned().collect()
    }

    /// Lines that report an error or a panic.
    pub fn errors(&self) -> Vec<String> {
        self.lines().errors.clone()
    }

    /// The last lines about `route`.
    pub fn last_lines(&self, route: &str) -> Vec<String> {
        self.lines().last.get(route).into_iter().flatten().cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn take(&mut self, line: String) {
        if let Some(subject) = after(&line, r#"msg="connection opened" "#) {
            self.open.insert(subject);
        } else if let Some(subject) = after(&line, r#"msg="connection closed" "#) {
            self.open.remove(&subject);
        } else if let Some(lost) = line.split(" lost=").nth(1) {
            self.lost = lost.parse().unwrap_or(u64::MAX);
        } else if line.contains(" level=error ") || !line.starts_with("time=") {
            // A line without a time is not from the logger. A panic message is such a line.
            self.errors.push(line.clone());
        }
        self.keep(line);
    }

    fn keep(&mut self, line: String) {
        let Some(route) = line.split(" route=").nth(1).and_then(|fields| fields.split(' ').next()) else { return };
        let last = self.last.entry(route.to_owned()).or_default();
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
}

/// The three fields after `message`, which identify a connection.
fn after(line: &str, message: &str) -> Option<String> {
    let (_, fields) = line.split_once(message)?;
    Some(fields.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
