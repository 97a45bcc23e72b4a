//! Parse, run, exit code. Nothing else.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use chaos_proxy::{cli, run};

fn main() -> ExitCode {
    run::run(cli::parse(env::args_os().skip(1))).into()
}
