//! What makes a run useful to tests.
//!
//! - `wrapped`: a run that lasts as long as a command. `argv` is that command, `environment` the variables that it gets.
//! - `command`: a process that is started, receives signals, and ends. `exec` is how it begins.
//! - `repeat`: runs one after another, each with its own seed.
//! - `trial`: a run under a config of its own, with a time limit.
//! - `scenario`: plays the changes over time.
//! - `figures`: what the routes have done, as the numbers that the report has and that expectations are about.
//! - `recorder`: what a run remembers from its start to its report.
//! - `report`: the report, in its formats, also of a run that is over. `sampler` has the figures over time, for its plots.
//! - `summary`: the table at the end of the run. `shell` writes arguments as a shell reads them.

pub mod argv;
pub mod command;
pub mod environment;
pub mod exec;
mod figures;
pub mod lifetime;
mod recorder;
pub mod repeat;
pub mod report;
mod sampler;
pub mod scenario;
pub mod shell;
mod summary;
pub mod trial;
pub mod wrapped;

pub use figures::{Figures, millis};
pub use recorder::{Conclusion, Recorder, RunFacts};
pub use sampler::{Sample, TimeSeries};
pub use summary::Summary;
