//! The binary: parses the arguments, runs, and returns the exit code. Everything else lives in the library.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use chaos_proxy::{cli, run};

fn main() -> ExitCode {
    run::run(cli::parse(env::args_os().skip(1), |name| env::var_os(name))).into()
}
