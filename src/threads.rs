//! Spawns every thread of the process: with a name, a stack size and an error where std would panic. The thread pool
//! keeps idle workers parked for reuse.

use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// The stack of a worker of the pool, of which there may be thousands. Reserved, not resident: a page uses memory once it is
/// touched. The deepest calls format a log line, and take two pages in a release build. The rest is margin for debug
/// builds.
const WORKER_STACK: usize = 256 * 1024;

/// The stack of every other thread. Some of them parse configs, which takes more than 256 KiB in a debug build.
const STACK: usize = 2 * 1024 * 1024;

/// How long a worker stays parked before it ends. Connections come in bursts, and two fresh threads per connection
/// would halve the connection rate: spawning and joining a thread costs 51 to 64 us of CPU.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Spawns a thread. Its `name` appears in `top -H` and in panic messages; Linux truncates it to 15 bytes (`prctl(2)`).
///
/// # Errors
/// The system is out of threads or memory. `work` is dropped without being run.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    spawn_with_stack(STACK, name, work)
}

fn spawn_with_stack(bytes: usize, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).stack_size(bytes).spawn(work).map(drop)
}

/// Makes timed waits of this thread, and of threads it spawns later, end on time. By default the kernel delays a
/// wake-up by up to 50 us to combine it with others (`PR_SET_TIMERSLACK` in prctl(2)).
pub fn wake_on_time() {
    #[cfg(target_os = "linux")]
    // If the kernel refuses, delays are up to 50 us longer.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// A thread pool without an upper limit: work never waits for a worker. A worker that is idle for a few seconds ends.
#[derive(Debug, Default)]
pub struct ThreadPool {
    /// The worker parked last is reused first: its stack is still in the cache, and the others reach their timeout.
    parked: Mutex<Vec<Arc<ParkedWorker>>>,
}

/// The slot through which a parked worker receives its next work.
#[derive(Default)]
struct ParkedWorker {
    work: Mutex<Option<Work>>,
    assigned: Condvar,
}

type Work = Box<dyn FnOnce() + Send>;

impl ThreadPool {
    /// Runs `work` at once on a parked worker, or on a new one if none is parked.
    ///
    /// # Errors
    /// No worker is parked, and the system is out of threads or memory. `work` is dropped without being run.
    pub fn run(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let parked = self.parked().pop();
        match parked {
            Some(worker) => worker.assign(Box::new(work)),
            None => self.spawn_worker(Box::new(work))?,
        }
        Ok(())
    }

    fn spawn_worker(self: &Arc<Self>, first: Work) -> io::Result<()> {
        let pool = Arc::clone(self);
        spawn_with_stack(WORKER_STACK, "connection", move || {
            let worker = Arc::default();
            let mut next = Some(first);
            while let Some(work) = next {
                work();
                next = pool.park(&worker);
            }
        })
    }

    /// Waits for the next work. Returns none after [`IDLE_TIMEOUT`].
    fn park(&self, worker: &Arc<ParkedWorker>) -> Option<Work> {
        self.parked().push(Arc::clone(worker));
        worker.wait(IDLE_TIMEOUT).or_else(|| {
            if self.remove_parked(worker) {
                return None;
            }
            // `run` has already taken this worker off the list, so work is assigned or about to be.
            worker.wait(Duration::MAX)
        })
    }

    /// Takes a worker off the list. Returns whether it was still there.
    fn remove_parked(&self, worker: &Arc<ParkedWorker>) -> bool {
        let mut parked = self.parked();
        let index = parked.iter().position(|other| Arc::ptr_eq(other, worker));
        index.map(|index| parked.remove(index)).is_some()
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Arc<ParkedWorker>>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ParkedWorker {
    fn assign(&self, work: Work) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
        self.assigned.notify_one();
    }

    fn wait(&self, timeout: Duration) -> Option<Work> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.assigned.wait_timeout_while(work, timeout, |work| work.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

impl std::fmt::Debug for ParkedWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParkedWorker")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn thread_of(pool: &Arc<ThreadPool>) -> thread::ThreadId {
        let (sender, receiver) = mpsc::channel();
        pool.run(move || sender.send(thread::current().id()).expect("the test waits")).expect("a thread");
        receiver.recv().expect("the work was done")
    }

    fn wait_until(pool: &ThreadPool, parked: usize) {
        while pool.parked().len() != parked {
            thread::yield_now();
        }
    }

    #[test]
    fn reuses_parked_worker() {
        let pool = Arc::new(ThreadPool::default());
        let first = thread_of(&pool);
        wait_until(&pool, 1);
        assert_eq!(thread_of(&pool), first);
    }

    #[test]
    fn concurrent_work_runs_on_separate_threads() {
        let pool = Arc::new(ThreadPool::default());
        let (sender, receiver) = mpsc::sync_channel(0);
        for _ in 0..8 {
            let sender = sender.clone();
            pool.run(move || sender.send(thread::current().id()).expect("the test waits")).expect("a thread");
        }
        let threads: std::collections::HashSet<_> = (0..8).map(|_| receiver.recv().expect("eight")).collect();
        assert_eq!(threads.len(), 8);
        wait_until(&pool, 8);
    }

    #[test]
    fn idle_worker_ends() {
        let pool = Arc::new(ThreadPool::default());
        thread_of(&pool);
        wait_until(&pool, 1);
        let ended = Arc::downgrade(&pool.parked()[0]);
        wait_until(&pool, 0);
        while ended.strong_count() > 0 {
            thread::yield_now();
        }
    }

    /// Work that is assigned just as a worker times out must run exactly once.
    #[test]
    fn every_work_item_runs_exactly_once() {
        let pool = Arc::new(ThreadPool::default());
        let (sender, receiver) = mpsc::channel();
        for number in 0..20_000 {
            let sender = sender.clone();
            pool.run(move || sender.send(number).expect("the test waits")).expect("a thread");
        }
        drop(sender);
        let mut done: Vec<u32> = receiver.iter().collect();
        done.sort_unstable();
        assert!(done.into_iter().eq(0..20_000));
    }
}
