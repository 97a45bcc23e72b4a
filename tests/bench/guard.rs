//! Starts a target in a process group of its own, reads its stderr and throws it away, and kills the whole group when the
//! benchmark is done with it or is no more: no interrupt leaves a proxy behind.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Outcome;
use crate::subprocess::wait_for_end;

/// Prints the number of the group, then waits.
pub fn run(command: &[&str]) -> Outcome<()> {
    let (program, args) = command.split_first().ok_or("no command to guard")?;
    let mut command = Command::new(program);
    command.args(args).process_group(0).env_remove("RUST_LOG");
    let target = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let target = target.map_err(|error| format!("{program}: {error}"))?;
    println!("{}", target.id());
    let group = Pid::from_child(&target);
    let waiter = thread::spawn(move || wait_and_exit(target));
    wait_for_end();
    kill_process_group(group, Signal::KILL)?;
    let _ = waiter.join();
    Ok(())
}

/// A target that ends by itself ends the guard, which is how the benchmark learns of it.
fn wait_and_exit(mut target: Child) {
    if let Some(mut stderr) = target.stderr.take() {
        let _ = io::copy(&mut stderr, &mut io::sink());
    }
    let _ = target.wait();
    process::exit(0);
}
