//! Finds a smallest set of faults with which a command still fails, by leaving out others run by run. Each run is a
//! `harness::trial`.
//!
//! - `ddmin`: which faults are left out, as an algorithm on a list.
//! - `faults`: the faults of a config, and the config with some of them.
//! - `acts`: what the faults have done in a run, by connection and by byte.
//! - `explicit`: a config in which nothing is left to chance.
//! - `shrinking`: the order of all this.

mod acts;
mod ddmin;
mod explicit;
mod faults;
mod shrinking;

pub use shrinking::Shrinking;
