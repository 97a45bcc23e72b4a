//! What a test needs around the proxy. [`scenario`] plays the changes over time.

pub mod scenario;
