//! The proxy's log as it comes: which connections are open, and what should never be in it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// What is kept of each route, to be shown beside a failure.
const LAST_LINES: usize = 16;

/// What has been read so far.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    last: HashMap<String, VecDeque<String>>,
    /// `route=… conn=… client=…` of each.
    open: BTreeSet<String>,
    lost: u64,
    errors: Vec<String>,
}

impl Log {
    /// Reads on a thread of its own until the proxy has closed `source`.
    pub fn follow(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                log.lines().take(line);
            }
        })
    }

    /// Connections that were told opened and not closed. Lines that the proxy lost, as it says by itself when its log is
    /// read too slowly, leave as many in doubt: those are not counted.
    pub fn open_connections(&self) -> Vec<String> {
        let lines = self.lines();
        let doubtful = usize::try_from(lines.lost).unwrap_or(usize::MAX);
        lines.open.iter().skip(doubtful).cloned().collect()
    }

    /// Lines that tell of something that must not happen.
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
            // What has no time is none of the log's lines: a panic writes so.
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

/// The first three fields behind `message`, which name a connection.
fn after(line: &str, message: &str) -> Option<String> {
    let (_, fields) = line.split_once(message)?;
    Some(fields.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
