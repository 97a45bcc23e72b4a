//! The only place that builds a thread: its name, its stack, an error where std would panic, and a crew of parked
//! threads that are used again.

use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// Reserved, not resident: a page counts once it is touched. The deepest calls are those that format a log line, which
/// take two pages in a release build; a debug build has room for many times that.
const STACK_BYTES: usize = 256 * 1024;

/// How long a thread without work stays. Connections come in bursts, and two fresh threads for each would halve their
/// rate: starting and joining one costs 51 to 64 us of CPU.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a thread. Its `name` shows in `top -H` and in panics; Linux cuts it after 15 bytes (`prctl(2)`).
///
/// # Errors
/// The machine has no thread or no memory left; `work` was not begun and has been dropped.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// Has this thread, and those that it starts from here on, woken from a timed wait when its time has come, and not up to
/// 50 us later so that the kernel can serve several at once (`PR_SET_TIMERSLACK` in prctl(2)).
pub fn wake_on_time() {
    #[cfg(target_os = "linux")]
    // Refused, delays are a little longer.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// Threads that go from one piece of work to the next. As many as are needed at once; those that find nothing to do for
/// a few seconds end.
#[derive(Debug, Default)]
pub struct ThreadPool {
    /// The one that parked last is called first: its stack is still in the cache, and the others grow old.
    parked: Mutex<Vec<Arc<ParkedWorker>>>,
}

/// Where a parked thread waits.
#[derive(Default)]
struct ParkedWorker {
    work: Mutex<Option<Work>>,
    assigned: Condvar,
}

type Work = Box<dyn FnOnce() + Send>;

impl ThreadPool {
    /// Has `work` done by a thread of the crew, at once.
    ///
    /// # Errors
    /// None is parked, and the machine has no thread or no memory left; `work` was not begun and has been dropped.
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
        spawn("connection", move || {
            let worker = Arc::default();
            let mut next = Some(first);
            while let Some(work) = next {
                work();
                next = pool.park(&worker);
            }
        })
    }

    /// Waits for the next work; none comes to a thread that has grown old.
    fn park(&self, worker: &Arc<ParkedWorker>) -> Option<Work> {
        self.parked().push(Arc::clone(worker));
        worker.wait(IDLE_TIMEOUT).or_else(|| {
            if self.remove_parked(worker) {
                return None;
            }
            // It was called in this very moment: the work is there, or about to be.
            worker.wait(Duration::MAX)
        })
    }

    /// Takes a thread off the list, unless it is not there any more.
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
    fn a_parked_thread_is_used_again() {
        let pool = Arc::new(ThreadPool::default());
        let first = thread_of(&pool);
        wait_until(&pool, 1);
        assert_eq!(thread_of(&pool), first);
    }

    #[test]
    fn work_at_the_same_time_gets_threads_of_its_own() {
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
    fn a_thread_without_work_ends() {
        let pool = Arc::new(ThreadPool::default());
        thread_of(&pool);
        wait_until(&pool, 1);
        let ended = Arc::downgrade(&pool.parked()[0]);
        wait_until(&pool, 0);
        while ended.strong_count() > 0 {
            thread::yield_now();
        }
    }

    /// Calls that come just when patience ends must neither be lost nor done twice.
    #[test]
    fn no_work_is_lost_however_it_comes() {
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
