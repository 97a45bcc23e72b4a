//! The routes that a part of a config is about: one by its name, or all.

use std::fmt;
use std::str::FromStr;

use crate::value::{Rejected, RouteName};

/// The routes that an expectation or a step of a scenario is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every route.
    All,
    /// The route of that name.
    Route(RouteName),
}

impl Scope {
    /// The word for all routes.
    pub const ALL: &'static str = "*";

    /// Whether the route of that name is one of them.
    #[must_use]
    pub fn contains(&self, route: &RouteName) -> bool {
        match self {
            Self::All => true,
            Self::Route(name) => name == route,
        }
    }

    /// Whether both have a route in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Route(name), Self::Route(other)) => name == other,
        }
    }
}

impl FromStr for Scope {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        if text == Self::ALL { Ok(Self::All) } else { text.parse().map(Self::Route) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(Self::ALL),
            Self::Route(name) => name.fmt(f),
        }
    }
}

crate::value::text!(Scope);
