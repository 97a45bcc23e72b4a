//! Changes of the routes over time, as values: a [`Scenario`] of [`Step`]s. What a step sets is `settings`, how a
//! number moves is `ramp`, and which change comes when is `playback`. The thread that waits for them is `harness`.

mod playback;
mod ramp;
mod serial;
mod settings;

#[cfg(test)]
mod properties;

use std::fmt;
use std::time::Duration;

pub use playback::{Due, Part, Playback};
pub use settings::{SettingName, Settings, ToxicSettings, Unsettable};

use super::{Route, RouteState, Scope};
use crate::value::{CloseMode, TimeSpan, words};

/// The steps of a run, in the order of their times. The default has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    steps: Vec<Step>,
    repeat: Option<TimeSpan>,
}

/// A change at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When it is made, counted from the start of the scenario.
    pub at: TimeSpan,
    /// The routes that it changes.
    pub routes: Scope,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Gives settings other values at once.
    Set(Settings),
    /// Moves numbers to other values in this time.
    Ramp(TimeSpan, Settings),
    /// Gives all faults the values of the config, and the state of the route too.
    Restore,
    /// Disables or enables the route.
    Switch(RouteState),
    /// Ends all connections.
    Cut(CutMode),
}

words! {
    /// How a step ends connections.
    pub enum CutMode("is not a way to end connections", "use close or reset") {
        /// With a FIN to both sides.
        Close = "close",
        /// With a RST to both sides.
        Reset = "reset",
    }
}

/// Why steps are not a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The step of this index is earlier than the one above it.
    OutOfOrder(usize),
    /// The scenario begins again before it has ended, at this time.
    RepeatedBefore(Duration),
    /// A round takes no time.
    RepeatedAtOnce,
}

impl Scenario {
    /// # Errors
    /// Steps out of order, or a scenario that begins again before all of its steps are done.
    pub fn new(steps: Vec<Step>, repeat: Option<TimeSpan>) -> Result<Self, Misplaced> {
        if let Some(place) = steps.windows(2).position(|pair| pair[1].at < pair[0].at) {
            return Err(Misplaced::OutOfOrder(place + 1));
        }
        let end = steps.iter().map(Step::end).max().unwrap_or_default();
        match repeat {
            Some(period) if period.is_zero() => Err(Misplaced::RepeatedAtOnce),
            Some(period) if period.duration() < end => Err(Misplaced::RepeatedBefore(end)),
            _ => Ok(Self { steps, repeat }),
        }
    }

    /// The steps in the order of their times.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The time after which it begins again.
    #[must_use]
    pub fn repeat(&self) -> Option<TimeSpan> {
        self.repeat
    }

    /// Whether nothing ever changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Step {
    /// When it is done.
    #[must_use]
    pub fn end(&self) -> Duration {
        let lasts = if let Action::Ramp(lasts, _) = &self.action { lasts.duration() } else { Duration::ZERO };
        self.at.duration() + lasts
    }
}

impl CutMode {
    /// How connections end.
    #[must_use]
    pub fn close_mode(self) -> CloseMode {
        match self {
            Self::Close => CloseMode::Close,
            Self::Reset => CloseMode::Reset,
        }
    }
}

/// A time in the form of a config.
#[must_use]
pub fn written(time: Duration) -> String {
    let millis = i128::try_from(time.as_millis()).unwrap_or(i128::MAX);
    TimeSpan::of_millis(millis).map_or_else(|_| format!("{millis}ms"), |span| span.to_string())
}

/// Gives a route the faults and the state that it has among the `original` ones.
pub fn restored(route: &mut Route, original: &[Route]) {
    if let Some(original) = original.iter().find(|other| other.name == route.name) {
        route.restore(original);
    }
}

impl Route {
    /// Takes over the faults and the state of `other`. The name and the addresses stay.
    fn restore(&mut self, other: &Self) {
        self.drop_rate = other.drop_rate;
        self.drop_mode = other.drop_mode;
        self.latency = other.latency;
        self.connect_timeout = other.connect_timeout;
        self.state = other.state;
        self.toxics.clone_from(&other.toxics);
    }
}

/// The word for the values of the config itself.
pub const ORIGINAL: &str = "original";

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(settings) => write!(f, "set {settings}"),
            Self::Ramp(lasts, settings) => write!(f, "ramp to {settings} in {lasts}"),
            Self::Restore => write!(f, "set {ORIGINAL}"),
            Self::Switch(RouteState::Disabled) => f.write_str("down"),
            Self::Switch(RouteState::Enabled) => f.write_str("up"),
            Self::Cut(mode) => write!(f, "cut {}", mode.as_str()),
        }
    }
}
