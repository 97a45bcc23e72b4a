//! The status line at the bottom of a terminal: whether there is one, what it says, and when it changes. Where it is
//! drawn is `logging`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::logging::{Log, LogFormat, LogLevel, StatusWriter};
use crate::proxy::{Activity, Health, Supervisor};
use crate::signals::Suspension;
use crate::terminal::Terminal;
use crate::{threads, units};

/// The time between two looks at the connections.
const INTERVAL: Duration = Duration::from_millis(250);

/// The longest share of the time that looking may take. With thousands of connections it takes milliseconds, and is
/// done less often.
const LARGEST_SHARE: u32 = 200;

/// The time over which rates are averaged.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Whether a run has a status line.
#[derive(Debug)]
pub enum StatusLine {
    /// It has none.
    Off,
    /// It has one.
    On(Suspension),
}

impl StatusLine {
    /// There is one below a log for people on a terminal that can erase it, unless only errors are to be seen. Call it
    /// before any other thread starts.
    ///
    /// # Errors
    /// The signal mask can't be changed.
    pub fn new(level: Option<LogLevel>, format: LogFormat, terminal: Terminal) -> io::Result<Self> {
        let is_for_people = format.on(terminal) == LogFormat::Text && level != Some(LogLevel::Error);
        if is_for_people && terminal.can_erase() { Suspension::block().map(Self::On) } else { Ok(Self::Off) }
    }

    /// The line below this log.
    #[must_use]
    pub fn below(self, log: &Log) -> StatusDisplay {
        match self {
            Self::Off => StatusDisplay::Off,
            Self::On(suspension) => StatusDisplay::On(suspension, log.status_writer()),
        }
    }
}

/// A status line and the log above it.
#[derive(Debug)]
pub enum StatusDisplay {
    /// There is no status line.
    Off,
    /// It is erased while the process is suspended.
    On(Suspension, StatusWriter),
}

impl StatusDisplay {
    /// Shows the line from now on, until the log ends, unless it is off.
    pub fn start(self, supervisor: Arc<Supervisor>) {
        let Self::On(suspension, writer) = self else { return };
        let erased = writer.clone();
        let reporter = Reporter { writer, history: History::default() };
        // Without a thread for it, Ctrl-Z has no effect, or there is no line. Neither is worth the end of the run.
        let _ = suspension.handle(move || erased.erase());
        let _ = threads::spawn("status", move || reporter.run(&supervisor));
    }
}

/// Looks at the connections again and again.
struct Reporter {
    writer: StatusWriter,
    history: History,
}

impl Reporter {
    fn run(mut self, supervisor: &Supervisor) {
        loop {
            let began = Instant::now();
            let sample = Sample { at: began, activity: supervisor.activity() };
            let pause = (began.elapsed() * LARGEST_SHARE).max(INTERVAL);
            self.history.add(sample);
            self.writer.show(parts(&self.history, supervisor.health(), supervisor.held_bytes()));
            thread::sleep(pause);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    activity: Activity,
}

/// The samples of the last second, the oldest first.
#[derive(Debug, Default)]
struct History(VecDeque<Sample>);

impl History {
    /// Keeps one sample that is a second old, to compare with.
    fn add(&mut self, sample: Sample) {
        let is_old = |kept: &Sample| sample.at.duration_since(kept.at) >= RATE_WINDOW;
        while self.0.get(1).is_some_and(is_old) {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    fn latest(&self) -> Activity {
        self.0.back().map_or_else(Activity::default, |sample| sample.activity)
    }

    /// The bytes per second of a count.
    fn rate(&self, count: impl Fn(&Activity) -> u64) -> u64 {
        let Some((old, new)) = self.0.front().zip(self.0.back()) else { return 0 };
        let bytes = count(&new.activity).saturating_sub(count(&old.activity));
        let millis = new.at.duration_since(old.at).as_millis().max(1);
        u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
    }
}

/// The parts of the line, the most important one first.
fn parts(history: &History, health: Health, held: usize) -> Vec<String> {
    let Activity { open, faults, .. } = history.latest();
    let open = match health {
        Health::Accepting => format!("{open} open"),
        Health::Draining => format!("draining, {open} open"),
    };
    let hint = (health == Health::Draining).then(|| "Ctrl-C again cuts them".to_owned());
    let faults = if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") };
    let up = format!("↑ {}/s", units::bytes(history.rate(|activity| activity.bytes_up)));
    let down = format!("↓ {}/s", units::bytes(history.rate(|activity| activity.bytes_down)));
    let held = (held > 0).then(|| format!("{} held", units::bytes(held.try_into().unwrap_or(u64::MAX))));
    [Some(open), hint, Some(faults), Some(up), Some(down), held].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(samples: &[(u64, u64)]) -> History {
        let (mut history, start) = (History::default(), Instant::now());
        for &(millis, bytes_up) in samples {
            let activity = Activity { open: 3, bytes_up, faults: 57, ..Activity::default() };
            history.add(Sample { at: start + Duration::from_millis(millis), activity });
        }
        history
    }

    #[test]
    fn rates_are_those_of_the_last_second() {
        let rate = |samples: &[(u64, u64)]| history(samples).rate(|activity| activity.bytes_up);
        assert_eq!(rate(&[]), 0);
        assert_eq!(rate(&[(0, 500)]), 0);
        assert_eq!(rate(&[(0, 0), (250, 500)]), 2000);
        assert_eq!(rate(&[(0, 0), (500, 9000), (1000, 9000), (1500, 9000)]), 0);
        assert_eq!(rate(&[(0, 1000), (250, 500)]), 0, "a count that falls is no rate");
        assert_eq!(history(&[(0, 0); 100]).0.len(), 100);
        assert_eq!(history(&(0..100).map(|at| (at * 250, 0)).collect::<Vec<_>>()).0.len(), 5);
    }

    #[test]
    fn the_line_says_what_matters_first() {
        let (running, draining) = (Health::Accepting, Health::Draining);
        let history = history(&[(0, 0), (1000, 1_200_000)]);
        let line = |health, held| parts(&history, health, held).join(" · ");
        assert_eq!(line(running, 0), "3 open · 57 faults · ↑ 1.2 MB/s · ↓ 0 B/s");
        let expected = "draining, 3 open · Ctrl-C again cuts them · 57 faults · ↑ 1.2 MB/s · ↓ 0 B/s · 2 kB held";
        assert_eq!(line(draining, 2000), expected);
    }
}
