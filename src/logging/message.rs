//! A record that its thread has handed over to the writer of the text format.

use jiff::Timestamp;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};

use super::FAULTS;

/// A record with all of its values as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) time: Timestamp,
    pub(super) kind: Kind,
    pub(super) text: String,
    /// In the order in which they were logged.
    pub(super) fields: Vec<(String, String)>,
}

/// What a line is about: a fault, whatever its level, or else the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Warn,
    Fault,
    Info,
    Debug,
}

impl Message {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let mut fields = Fields(Vec::new());
        // `Fields` accepts every value.
        let _ = record.key_values().visit(&mut fields);
        Self { time: Timestamp::now(), kind: Kind::of(record), text: record.args().to_string(), fields: fields.0 }
    }

    /// The value of a field.
    pub(super) fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Kind {
    fn of(record: &Record<'_>) -> Self {
        match record.level() {
            _ if record.target() == FAULTS => Self::Fault,
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug | Level::Trace => Self::Debug,
        }
    }
}

struct Fields(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}
