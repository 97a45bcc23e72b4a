//! Runs a command again and again, each time with a single fault at another point of its conversations, and reports the
//! faults that break it. Each run is a `harness::trial`.
//!
//! - `recorded`: the messages of a run without faults.
//! - `point`: the points at which a fault is tried, and the toxic for each. `fault` and `only` are what is asked for.
//! - `exploration`: the order of the runs. `journal` remembers the results, so that an exploration can be resumed.
//! - `results`: what is printed at the end. `progress` is what is printed meanwhile.

mod exploration;
mod fault;
mod journal;
mod only;
mod point;
mod progress;
pub mod recorded;
mod results;

pub use exploration::{Directory, Exploration, Settings};
pub use fault::Fault;
pub use only::Only;
pub use results::Format;
