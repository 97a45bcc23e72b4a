//! Pipes that bytes go through from socket to socket inside the kernel (`splice(2)`), lent to bulk streams piece by
//! piece. When and to which is `plain_path`.

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

    /// What a pipe can hold. At 64 KiB the proxy's CPU time per GiB is a third higher.
    const PIPE_BYTES: usize = 1 << 20;

    /// Pipes lent at a time, over all connections. A user without privileges has 16,384 pages of pipes, which are 64 of
    /// these, and gets pipes of two pages after that (`pipe-user-pages-soft` in pipe(7)); some are left for the user's
    /// other processes. Two cores don't saturate many at once, and the others copy.
    const MOST_LENT: usize = 48;

    /// Pipes kept for the next piece; an empty one takes about 10 KiB of the kernel's memory.
    const MOST_KEPT: usize = 16;

    static POOL: Mutex<Pool> = Mutex::new(Pool { kept: Vec::new(), lent: 0 });

    /// Of the process and not of a supervisor: the pages are counted for the user as a whole.
    struct Pool {
        kept: Vec<Arc<Ends>>,
        lent: usize,
    }

    struct Ends {
        reader: PipeReader,
        writer: PipeWriter,
    }

    /// A pipe on loan.
    pub struct Pipe {
        ends: Arc<Ends>,
        holds: usize,
    }

    /// A pipe, unless too many are lent or the system has none.
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
        // Refused, it is a smaller pipe, and a pipe all the same.
        let _ = fcntl_setpipe_size(&writer, PIPE_BYTES);
        Ok(Arc::new(Ends { reader, writer }))
    }

    impl Pipe {
        /// Takes what `source` has, without waiting for it; 0 at its end.
        pub fn fill(&mut self, source: &TcpStream) -> Result<usize, Errno> {
            let filled = splice(source, None, &self.ends.writer, None, PIPE_BYTES, SpliceFlags::NONBLOCK)?;
            self.holds += filled;
            Ok(filled)
        }

        /// Gives `sink` what it takes without being waited for.
        pub fn pour(&mut self, sink: &TcpStream) -> Result<usize, Errno> {
            let poured = splice(&self.ends.reader, None, sink, None, self.holds, SpliceFlags::NONBLOCK)?;
            self.holds -= poured;
            Ok(poured)
        }

        pub fn is_empty(&self) -> bool {
            self.holds == 0
        }

        /// Takes out what it holds.
        pub fn take_rest(&mut self) -> Vec<u8> {
            let mut rest = Vec::with_capacity(self.holds);
            // A pipe that holds that much neither fails nor waits.
            let read = (&self.ends.reader).take(self.holds as u64).read_to_end(&mut rest);
            self.holds -= read.unwrap_or(0);
            rest
        }
    }

    impl Drop for Pipe {
        /// Gives it back, if nothing is left in it and there are not enough of them.
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

/// Where nothing can be spliced, everything is copied.
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
