//! Prints log lines as they happen, until the server ends them or nothing reads them.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Sender};

use rustix::event::{PollFd, PollFlags, poll};

use super::client::Client;
use super::request::Request;
use super::{Action, CtlError, Format};
use crate::threads;

/// The most bytes that are printed at once.
const PIECE: usize = 8 * 1024;

pub(super) fn follow(client: &Client) -> Result<(), CtlError> {
    let opened = client.open(&Request::of(&Action::Events))?;
    if opened.status != 200 {
        let refusal = opened.read().map_err(|error| lost(&error))?;
        return refusal.accepted(Format::Text).map(drop);
    }
    let stream = opened.into_stream().map_err(|error| lost(&error))?;
    let (ended, end) = mpsc::channel();
    watch_stdout(ended.clone()).and_then(|()| copy_to(stream, ended)).map_err(|error| lost(&error))?;
    // Both threads send an end before they are gone.
    end.recv().unwrap_or(Ok(())).map_err(|error| lost(&error))
}

/// Reports when the reader of stdout is gone. `ctl events | head -1` ends then, not at the next event, as `tail -f`
/// does.
fn watch_stdout(ended: Sender<io::Result<()>>) -> io::Result<()> {
    threads::spawn("stdout", move || {
        let stdout = io::stdout();
        // A file and a terminal have no reader that could leave: then poll waits until the process ends.
        while poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None) == Err(rustix::io::Errno::INTR) {}
        let _ = ended.send(Ok(()));
    })
}

fn copy_to(mut stream: impl Read + Send + 'static, ended: Sender<io::Result<()>>) -> io::Result<()> {
    threads::spawn("events", move || {
        let _ = ended.send(copy(&mut stream));
    })
}

/// Prints what arrives at once. If it can't be printed, there is nothing left to do.
fn copy(stream: &mut impl Read) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = stream.read(&mut piece)?;
        let mut out = io::stdout().lock();
        if length == 0 || out.write_all(&piece[..length]).and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
}

fn lost(error: &io::Error) -> CtlError {
    CtlError::Refused(format!("the events ended: {error}"))
}
