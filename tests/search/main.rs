//! `chaos-proxy explore` and `chaos-proxy shrink`: programs with a planted bug each, and a correct one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bugs;
mod databases;
mod exploring;
mod harness;
mod programs;
mod shrinking;

/// Not a test: the test binary starts itself with this one alone as the program that is explored.
#[test]
#[ignore = "a program that other tests start"]
fn program() {
    programs::run();
}
