//! The names of routes and toxics.

use std::fmt;
use std::str::FromStr;

use super::word::text;
use super::{Port, Rejected, Stream};

/// The name of a route: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName(String);

impl RouteName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Port> for RouteName {
    fn from(port: Port) -> Self {
        Self(port.to_string())
    }
}

impl FromStr for RouteName {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        name(text).map(Self)
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most characters in a name.
const LONGEST_NAME: usize = 100;

/// Checks the name of a route or a toxic.
fn name(text: &str) -> Result<String, Rejected> {
    let length = text.chars().count();
    let what = match length {
        0 => "the name is empty".to_owned(),
        1..=LONGEST_NAME if text.chars().any(char::is_control) => "the name has a control character in it".to_owned(),
        1..=LONGEST_NAME => return Ok(text.to_owned()),
        _ => format!("the name is {length} characters long"),
    };
    Err(Rejected::new(what, format!("use 1 to {LONGEST_NAME} printable characters")))
}

/// The name of a toxic: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToxicName(String);

impl ToxicName {
    /// The default name, as in Toxiproxy: `latency_downstream`.
    #[must_use]
    pub fn default_of(kind: &str, stream: Stream) -> Self {
        Self(format!("{kind}_{}", stream.as_str()))
    }

    /// The name of a toxic of a profile: `3g_latency`.
    pub(crate) fn of_profile(profile: &str, part: &str) -> Self {
        Self(format!("{profile}_{part}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ToxicName {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        name(text).map(Self)
    }
}

impl fmt::Display for ToxicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text!(RouteName, ToxicName);
