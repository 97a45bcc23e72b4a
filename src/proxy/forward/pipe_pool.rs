//! A pool of pipes for splice(2), which moves bytes from socket to socket inside the kernel. A bulk stream borrows a
//! pipe for one piece at a time. `plain_path` decides when to use one.

#[cfg(target_os = "linux")]
pub use linux::{Pipe, borrow};
#[cfg(not(target_os = "linux"))]
pub use none::{Pipe, borrow};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, PipeReader, PipeWriter, Read};
    use std::net::TcpStream;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use rustix::io::Errno;
    use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};

    /// The capacity of a pipe. With 64 KiB the proxy uses a third more CPU time per GiB.
    const PIPE_BYTES: usize = 1 << 20;

    /// The most pipes in use at a time, over all connections. An unprivileged user may have 16,384 pages in pipes,
    /// which is 64 pipes of this size; after that a new pipe gets two pages (`pipe-user-pages-soft` in pipe(7)). The
    /// difference is left to the user's other processes. A few bulk streams saturate two cores, so further ones lose
    /// little by copying.
    const MOST_LENT: usize = 48;

    /// The most idle pipes that are kept open. An empty pipe takes about 10 KiB of kernel memory.
    const MOST_KEPT: usize = 16;

    static POOL: Mutex<Pool> = Mutex::new(Pool { kept: Vec::new(), lent: 0 });

    /// One pool for the process, because the kernel counts pipe pages for each user.
    struct Pool {
        kept: Vec<Arc<Ends>>,
        lent: usize,
    }

    struct Ends {
        reader: PipeReader,
        writer: PipeWriter,
    }

    /// A borrowed pipe. Dropping it returns it to the pool.
    pub struct Pipe {
        ends: Arc<Ends>,
        holds: usize,
    }

    /// Borrows a pipe. Returns none if too many are in use or the system has none.
    pub fn borrow() -> Option<Pipe> {
        let kept = {
            let mut pool = pool();
            if pool.lent == MOST_LENT {
                return None;
            }
            pool.lent += 1;
            pool.kept.pop()
        };
        let ends = kept.or_else(|| open().ok()).or_else(|| {
            pool().lent -= 1;
            None
        });
        ends.map(|ends| Pipe { ends, holds: 0 })
    }

    fn open() -> io::Result<Arc<Ends>> {
        let (reader, writer) = io::pipe()?;
        // If the kernel refuses, the pipe is smaller but still works.
        let _ = fcntl_setpipe_size(&writer, PIPE_BYTES);
        Ok(Arc::new(Ends { reader, writer }))
    }

    impl Pipe {
        /// Moves bytes from `source` into the pipe without blocking. 0 means that none can be spliced.
        pub fn fill(&mut self, source: &TcpStream) -> Result<usize, Errno> {
            let filled = splice(source, None, &self.ends.writer, None, PIPE_BYTES, SpliceFlags::NONBLOCK)?;
            self.holds += filled;
            Ok(filled)
        }

        /// Moves bytes from the pipe to `sink`. Does not block if `sink` is non-blocking.
        pub fn pour(&mut self, sink: &TcpStream) -> Result<usize, Errno> {
            let poured = splice(&self.ends.reader, None, sink, None, self.holds, SpliceFlags::NONBLOCK)?;
            self.holds -= poured;
            Ok(poured)
        }

        pub fn is_empty(&self) -> bool {
            self.holds == 0
        }

        /// Reads the remaining bytes out of the pipe.
        pub fn take_rest(&mut self) -> Vec<u8> {
            let mut rest = Vec::with_capacity(self.holds);
            // The pipe holds exactly this many bytes, so the read neither fails nor blocks.
            let read = (&self.ends.reader).take(self.holds as u64).read_to_end(&mut rest);
            self.holds -= read.unwrap_or(0);
            rest
        }
    }

    impl Drop for Pipe {
        /// Keeps the pipe for reuse if it is empty and the pool needs it. Otherwise it is closed.
        fn drop(&mut self) {
            let mut pool = pool();
            pool.lent -= 1;
            if self.is_empty() && pool.kept.len() < MOST_KEPT {
                pool.kept.push(Arc::clone(&self.ends));
            }
        }
    }

    fn pool() -> MutexGuard<'static, Pool> {
        POOL.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Systems without splice(2): every stream is copied.
#[cfg(not(target_os = "linux"))]
mod none {
    use std::convert::Infallible;
    use std::net::TcpStream;

    use rustix::io::Errno;

    pub struct Pipe(Infallible);

    pub fn borrow() -> Option<Pipe> {
        None
    }

    impl Pipe {
        pub fn fill(&mut self, _: &TcpStream) -> Result<usize, Errno> {
            match self.0 {}
        }

        pub fn pour(&mut self, _: &TcpStream) -> Result<usize, Errno> {
            match self.0 {}
        }

        pub fn is_empty(&self) -> bool {
            match self.0 {}
        }

        pub fn take_rest(&mut self) -> Vec<u8> {
            match self.0 {}
        }
    }
}
