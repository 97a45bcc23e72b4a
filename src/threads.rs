//! The only place that builds a thread: its name, its stack, and an error where std would panic.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Reserved, not resident: a page counts once it is touched. The deepest calls are those that format a log line; a
/// debug build takes about 40 KiB for one.
const STACK_BYTES: usize = 256 * 1024;

/// Starts a thread. Its `name` shows in `top -H` and in panics; Linux cuts it after 15 bytes (`prctl(2)`).
///
/// # Errors
/// The machine has no thread or no memory left; `work` was not begun and has been dropped.
pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)
}
