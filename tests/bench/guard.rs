//! Starts a target in a process group of its own, discards its stderr, and kills the group when its owner drops it or dies:
//! no interrupt leaves a proxy running.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Outcome;
use crate::subprocess::wait_for_end;

/// Prints the id of the group, then waits.
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

/// Ends the guard when the target ends by itself: the benchmark sees that the guard has ended.
fn wait_and_exit(mut target: Child) {
    if let Some(mut stderr) = target.stderr.take() {
        let _ = io::copy(&mut stderr, &mut io::sink());
    }
    let _ = target.wait();
    process::exit(0);
}
