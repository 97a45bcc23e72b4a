//! The results of an exploration: as a table, as JSON and as `JUnit` XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::point::{Place, Point};
use crate::columns::cut;
use crate::harness::millis;
use crate::table::{Cell, aligned};
use crate::units::duration;

/// The most columns for the first bytes of a message.
const PREVIEW: usize = 32;

/// The most points that were not reached that are named in the text.
const NAMED: usize = 5;

/// The format of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table for a person.
    Text,
    /// JSON.
    Json,
    /// `JUnit` XML, with a case for each point.
    JUnit,
}

/// What a run with a fault has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The command has succeeded.
    Passed,
    /// It has failed in this way.
    Failed(String),
    /// The fault did not act: the command took another way, or nothing came after the point.
    NotReached,
}

impl Verdict {
    /// As the journal has it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Passed => json!({ "verdict": "passed" }),
            Self::Failed(how) => json!({ "verdict": "failed", "outcome": how }),
            Self::NotReached => json!({ "verdict": "not reached" }),
        }
    }

    /// From a line of the journal.
    pub(super) fn read(line: &Value) -> Option<Self> {
        match line["verdict"].as_str()? {
            "passed" => Some(Self::Passed),
            "failed" => Some(Self::Failed(line["outcome"].as_str()?.to_owned())),
            "not reached" => Some(Self::NotReached),
            _ => None,
        }
    }
}

/// What an exploration has found.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Every point that was tried, in order.
    pub(super) tried: Vec<(Point, Verdict)>,
    /// The number of points to try.
    pub(super) planned: usize,
    /// The number of all points, of which those are a sample.
    pub(super) all: usize,
    /// How long it has taken.
    pub(super) lasted: Duration,
    /// The command line that repeats a finding, with a placeholder for its config.
    pub(super) repeat: Option<String>,
}

impl Results {
    /// The points at which the command has failed, and how.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&Point, &str)> {
        self.tried.iter().filter_map(|(point, verdict)| match verdict {
            Verdict::Failed(how) => Some((point, how.as_str())),
            Verdict::Passed | Verdict::NotReached => None,
        })
    }

    fn not_reached(&self) -> Vec<String> {
        let tried = self.tried.iter().filter(|(_, verdict)| *verdict == Verdict::NotReached);
        tried.map(|(point, _)| point.to_string()).collect()
    }

    /// The results in a format.
    pub(super) fn text(&self, format: Format) -> String {
        match format {
            Format::Text => self.table(),
            Format::Json => format!("{:#}\n", self.to_json()),
            Format::JUnit => self.junit(),
        }
    }

    fn table(&self) -> String {
        let rows: Vec<Vec<Cell>> = self.findings().map(|(point, how)| row(point, how)).collect();
        let table = if rows.is_empty() {
            String::new()
        } else {
            aligned(&["connection", "message", "point", "fault", "outcome"], &rows) + "\n"
        };
        format!("{table}{}\n{}{}", self.summary(), self.unreached_text(), self.repeat_text())
    }

    fn summary(&self) -> String {
        let (tried, found) = (self.tried.len(), self.findings().count());
        let of = match (tried, self.planned, self.all) {
            (tried, planned, all) if tried == planned && planned == all => format!("{tried} points"),
            (tried, planned, all) if tried == planned => format!("{tried} of {all} points (--points)"),
            (tried, planned, _) => format!("{tried} of {planned} points (interrupted)"),
        };
        format!("{of} tried in {}: {found} found, {} not reached", duration(self.lasted), self.not_reached().len())
    }

    fn unreached_text(&self) -> String {
        let points = self.not_reached();
        let named: String = points.iter().take(NAMED).flat_map(|name| ["  not reached: ", name, "\n"]).collect();
        match points.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named}  and {more} more; --json has all\n"),
        }
    }

    fn repeat_text(&self) -> String {
        match &self.repeat {
            Some(command) if self.findings().next().is_some() => format!("repeat a finding with:\n  {command}\n"),
            _ => String::new(),
        }
    }

    fn to_json(&self) -> Value {
        let findings: Vec<Value> = self.findings().map(|(point, how)| finding_json(point, how)).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "durationMs": millis(self.lasted),
            "points": self.all,
            "planned": self.planned,
            "tried": self.tried.len(),
            "findings": findings,
            "notReached": self.not_reached(),
        })
    }

    fn junit(&self) -> String {
        let mut suite = TestSuite::new("chaos-proxy explore");
        suite.set_time(self.lasted);
        suite.add_test_cases(self.tried.iter().map(|(point, verdict)| case(point, verdict)));
        let mut document = Document::new("chaos-proxy explore");
        document.set_time(self.lasted);
        document.add_test_suite(suite);
        // A String accepts everything.
        document.to_string().unwrap_or_default()
    }
}

fn row(point: &Point, how: &str) -> Vec<Cell> {
    let connection = format!("{}#{}", point.route, point.connection);
    let (message, part) = match &point.place {
        Place::Refused | Place::Silent => ("-".to_owned(), "-".to_owned()),
        Place::Message(message, part, _) => {
            let preview = cut(&message.preview, PREVIEW);
            (format!("{} {} {preview}", message.stream.as_str(), message.number), part.as_str().to_owned())
        }
    };
    [connection, message, part, point.fault(), how.to_owned()].map(Cell::left).into()
}

fn finding_json(point: &Point, how: &str) -> Value {
    let mut finding = json!({
        "id": point.to_string(),
        "route": point.route,
        "connection": point.connection,
        "fault": point.fault(),
        "outcome": how,
    });
    if let Place::Message(message, part, _) = &point.place {
        finding["stream"] = message.stream.as_str().into();
        finding["message"] = message.number.into();
        finding["preview"] = message.preview.as_str().into();
        finding["point"] = part.as_str().into();
    }
    finding
}

fn case(point: &Point, verdict: &Verdict) -> TestCase {
    let status = match verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::NotReached => TestCaseStatus::skipped(),
        Verdict::Failed(how) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(how.clone());
            status
        }
    };
    let mut case = TestCase::new(point.to_string(), status);
    case.set_classname(format!("route {}", point.route));
    case
}
