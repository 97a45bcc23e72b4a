//! Where log lines go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};

use crate::terminal::{self, Terminal};

/// Where log lines go.
#[derive(Debug)]
pub enum LogOutput {
    /// The stderr of this process.
    Stderr,
    /// A file, and its path for errors.
    File(File, PathBuf),
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
        opened.map(|file| Self::File(file, path.to_owned())).map_err(|error| named(path, &error))
    }

    /// The terminal that it is, if any.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        match self {
            Self::Stderr => Terminal::of_stderr(),
            Self::File(..) => Terminal::Absent,
        }
    }

    /// The present width of its lines, unless they have none or it is unknown.
    pub(super) fn columns(&self) -> Option<usize> {
        match self {
            Self::Stderr => terminal::columns(),
            Self::File(..) => None,
        }
    }

    /// Blocks until all bytes are written, even if another process has made the pipe non-blocking.
    ///
    /// # Errors
    /// The disk is full, for example. If stderr is closed, nothing could report the error, so it is none.
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_until_writable(),
                Err(error) => return self.lost(&error),
            }
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr => io::stderr().write(bytes),
            Self::File(file, _) => (&mut &*file).write(bytes),
        }
    }

    fn lost(&self, error: &io::Error) -> io::Result<()> {
        match self {
            Self::Stderr => Ok(()),
            Self::File(_, path) => Err(named(path, error)),
        }
    }

    fn wait_until_writable(&self) {
        let stderr = io::stderr();
        let output = match self {
            Self::Stderr => stderr.as_fd(),
            Self::File(file, _) => file.as_fd(),
        };
        // If poll(2) fails, the next write reports the error.
        let _ = poll(&mut [PollFd::from_borrowed_fd(output, PollFlags::OUT)], None);
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("--log-file {}: {error}", path.display()))
}
