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
    const MAX_BORROWED: usize = 48;

    /// The most idle pipes that are kept open. An empty pipe takes about 10 KiB of kernel memory.
    const MAX_IDLE: usize = 16;

    static POOL: Mutex<Pool> = Mutex::new(Pool { idle: Vec::new(), borrowed: 0 });

    /// One pool for the process, because the kernel counts pipe pages for each user.
    struct Pool {
        idle: Vec<Arc<Ends>>,
        borrowed: usize,
    }

    struct Ends {
        reader: PipeReader,
        writer: PipeWriter,
    }

    /// A borrowed pipe. Dropping it returns it to the pool.
    pub struct Pipe {
        ends: Arc<Ends>,
        length: usize,
    }

    /// Borrows a pipe. Returns none if too many are in use or the system has none.
    pub fn borrow() -> Option<Pipe> {
        let idle = {
            let mut pool = pool();
            if pool.borrowed == MAX_BORROWED {
                return None;
            }
            pool.borrowed += 1;
            pool.idle.pop()
        };
        let ends = idle.or_else(|| open().ok()).or_else(|| {
            pool().borrowed -= 1;
            None
        });
        ends.map(|ends| Pipe { ends, length: 0 })
    }

    fn open() -> io::Result<Arc<Ends>> {
        let (reader, writer) = io::pipe()?;
        // If the kernel refuses, the pipe is smaller but still works.
        let _ = fcntl_setpipe_size(&writer, PIPE_BYTES);
        Ok(Arc::new(Ends { reader, writer }))
    }

    impl Pipe {
        /// Moves bytes from `source` into the pipe without blocking. 0 means that none can be spliced.
        pub fn read_from(&mut self, source: &TcpStream) -> Result<usize, Errno> {
            let read = splice(source, None, &self.ends.writer, None, PIPE_BYTES, SpliceFlags::NONBLOCK)?;
            self.length += read;
            Ok(read)
        }

        /// Moves bytes from the pipe to `sink`. Does not block if `sink` is non-blocking.
        pub fn write_to(&mut self, sink: &TcpStream) -> Result<usize, Errno> {
            let written = splice(&self.ends.reader, None, sink, None, self.length, SpliceFlags::NONBLOCK)?;
            self.length -= written;
            Ok(written)
        }

        pub fn is_empty(&self) -> bool {
            self.length == 0
        }

        /// Reads the remaining bytes out of the pipe.
        pub fn take_rest(&mut self) -> Vec<u8> {
            let mut rest = Vec::with_capacity(self.length);
            // The pipe holds exactly this many bytes, so the read neither fails nor blocks.
            let read = (&self.ends.reader).take(self.length as u64).read_to_end(&mut rest);
            self.length -= read.unwrap_or(0);
            rest
        }
    }

    impl Drop for Pipe {
        /// Keeps the pipe for reuse if it is empty and the pool needs it. Otherwise it is closed.
        fn drop(&mut self) {
            let mut pool = pool();
            pool.borrowed -= 1;
            if self.is_empty() && pool.idle.len() < MAX_IDLE {
                pool.idle.push(Arc::clone(&self.ends));
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
        pub fn read_from(&mut self, _: &TcpStream) -> Result<usize, Errno> {
            match self.0 {}
        }

        pub fn write_to(&mut self, _: &TcpStream) -> Result<usize, Errno> {
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
