//! Where log lines go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

/// Where log lines go.
#[derive(Debug)]
pub enum LogOutput {
    /// The stderr of this process.
    Stderr,
    /// A file.
    File(File),
}

impl LogOutput {
    /// The end of the file at `path`, so that the runs of a series all keep their lines. Creates it if it is not there.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        File::options().append(true).create(true).open(path).map(Self::File)
    }

    /// Blocks until all bytes are written, even if another process has made the pipe non-blocking.
    pub(super) fn write_all(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_until_writable(),
                // stderr is closed or the disk is full, so there is nowhere to report the error.
                Err(_) => return,
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr => io::stderr().write(bytes),
            Self::File(file) => (&mut &*file).write(bytes),
        }
    }

    fn wait_until_writable(&self) {
        let stderr = io::stderr();
        let output = match self {
            Self::Stderr => stderr.as_fd(),
            Self::File(file) => file.as_fd(),
        };
        // If poll(2) fails, the next write reports the error.
        let _ = poll(&mut [PollFd::from_borrowed_fd(output, PollFlags::OUT)], None);
    }
}
