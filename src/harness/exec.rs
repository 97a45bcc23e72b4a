//! How a command begins. Only a process itself can ask for a signal at the death of its parent (prctl(2)), and code of ours
//! between fork(2) and execve(2) would be unsafe. So chaos-proxy starts itself, in a mode that asks for this signal and then
//! becomes the command.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command};

use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::set_current_timer_slack;

use super::argv::Argv;
use super::shell::command_line;
use crate::signals;

/// The first argument of this mode. It is followed by the process id of the parent, the soft limit on descriptors, the
/// program to execute, and the arguments that it gets, the first of which is its name.
pub const MODE: &str = "--exec-command";

/// This program, even if its file has been replaced.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The exit codes of a shell for a command that can't be started.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The timer slack of a process that has not changed it (prctl(2)). Threads of a proxy have less.
const TIMER_SLACK: NonZeroU64 = NonZeroU64::new(50_000).expect("not 0");

/// The soft limit on descriptors, which a proxy raises. Programs that use select(2) need the original one.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorLimit(Option<u64>);

impl DescriptorLimit {
    /// The present one.
    #[must_use]
    pub fn current() -> Self {
        Self(getrlimit(Resource::Nofile).current)
    }

    fn restore(self) {
        let limit = Rlimit { current: self.0, ..getrlimit(Resource::Nofile) };
        // It was the limit before, so the kernel accepts it.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// The process that becomes the command: executes `program` with the words of `argv`, as execve(2).
#[must_use]
pub fn starter(program: &OsStr, argv: &Argv, limit: DescriptorLimit) -> Command {
    let mut command = Command::new(OWN_PROGRAM);
    let limit = limit.0.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    command.arg0("chaos-proxy").args([MODE, &process::id().to_string(), &limit]);
    command.arg(program).arg(&argv.program).args(&argv.arguments);
    command
}

/// What the arguments after [`MODE`] ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    parent: Pid,
    limit: Option<u64>,
    program: OsString,
    argv: Argv,
}

impl Exec {
    /// Parses the arguments after [`MODE`]. Returns none if they are not those of [`starter`].
    #[must_use]
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let parent = Pid::from_raw(arguments.next()?.to_str()?.parse().ok()?)?;
        let limit = arguments.next()?.to_str()?.parse().ok();
        let program = arguments.next()?;
        Some(Self { parent, limit, program, argv: Argv::of(arguments.collect())? })
    }

    /// Becomes the command. Returns an exit code and the reason if that is impossible. The standard library restores the
    /// default action of SIGPIPE, and execve(2) that of all signals with handlers.
    #[must_use]
    pub fn run(self) -> (u8, String) {
        let asked = set_parent_process_death_signal(Some(Signal::TERM));
        if asked.is_err() || getppid() != Some(self.parent) {
            return (NOT_EXECUTABLE, "chaos-proxy has ended before the command began".to_owned());
        }
        if let Err(error) = signals::unblock() {
            return (NOT_EXECUTABLE, format!("signals can't be unblocked: {error}"));
        }
        DescriptorLimit(self.limit).restore();
        // If the kernel refuses, timers of the command are more exact than by default.
        let _ = set_current_timer_slack(Some(TIMER_SLACK));
        let Self { program, argv, .. } = self;
        let error = Command::new(&program).arg0(&argv.program).args(&argv.arguments).exec();
        (exit_code(&error), format!("can't run {}: {}", command_line([&program]), reason(Path::new(&program), &error)))
    }
}

fn exit_code(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}

fn reason(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        // A name without a slash is looked up in PATH.
        ErrorKind::NotFound if program.components().count() > 1 && program.exists() => {
            "the interpreter that it names is missing: check its first line".to_owned()
        }
        ErrorKind::NotFound => "there is no such command: check its spelling and PATH".to_owned(),
        ErrorKind::PermissionDenied if program.is_dir() => "it is a directory".to_owned(),
        ErrorKind::PermissionDenied => "it is not executable: `chmod +x` makes a script executable".to_owned(),
        _ => error.to_string(),
    }
}
