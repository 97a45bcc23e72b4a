//! What makes a run one step of a test: changes over time, its report, and the judgement on it.
//!
//! - `scenario`: plays the changes over time
//! - `figures`: what the routes have done, as the numbers that the report has and that expectations are about
//! - `recorder`: what a run remembers from its start to its report
//! - `report`: the report, in its formats
//! - `sampler`: the figures over time, for the plots
//! - `summary`: the table at the end of the run
//! - `shell`: arguments as a shell reads them

mod figures;
mod recorder;
pub mod report;
mod sampler;
pub mod scenario;
mod shell;
mod summary;

pub use figures::Figures;
pub use recorder::{Conclusion, Recorder, RunFacts};
pub use sampler::{Sample, Series};
pub use summary::Summary;
