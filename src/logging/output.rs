//! Where log lines go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use crate::terminal::{self, Terminal};

/// Where log lines go.
#[derive(Debug)]
pub enum LogOutput {
    /// The stderr of this process.
    Stderr,
    /// A file.
    File(File),
}

impl LogOutput {
    /// The end of a file, so that the runs of a series all keep their lines. Creates the file if it is not there. Without a
    /// path, stderr.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn of(file: Option<&Path>) -> io::Result<Self> {
        let Some(path) = file else { return Ok(Self::Stderr) };
        let opened = File::options().append(true).create(true).open(path);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("--log-file {}: {error}", path.display()));
        opened.map(Self::File).map_err(named)
    }

    /// The terminal that it is, if any.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        match self {
            Self::Stderr => Terminal::of_stderr(),
            Self::File(_) => Terminal::Absent,
        }
    }

    /// The present width of its lines, unless they have none or it is unknown.
    pub(super) fn columns(&self) -> Option<usize> {
        match self {
            Self::Stderr => terminal::columns(),
            Self::File(_) => None,
        }
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
