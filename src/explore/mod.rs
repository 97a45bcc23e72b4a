//! Runs a command again and again, each time with a single fault at another point of its conversations, and reports the
//! faults that break it.

pub mod recorded;
