//! Content that is sent as it is produced, such as events. It is often endless.

use std::io::{self, Write};
use std::time::Duration;

/// Content that is sent piece by piece, each as soon as it is there. Ends when it is exhausted or the
/// client leaves.
pub trait Stream {
    /// Waits for the next piece until the timeout has passed. Between two calls the server checks whether the stream is
    /// still read.
    fn next(&mut self, timeout: Duration) -> Piece;
}

/// The result of a wait for the next piece of a [`Stream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// There are none yet.
    Pending,
    /// There will be no more.
    End,
}

/// How long a stream may go on after its client has left. Ten checks per second and stream
/// use no measurable CPU time.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Sends a stream until it ends or is not read any more.
///
/// # Errors
/// Errors of `output`: the client is gone or does not read.
pub(super) fn send(mut stream: Box<dyn Stream>, output: &mut dyn Write, is_read: &dyn Fn() -> bool) -> io::Result<()> {
    while is_read() {
        match stream.next(CHECK_INTERVAL) {
            Piece::Bytes(bytes) => output.write_all(&bytes).and_then(|()| output.flush())?,
            Piece::Pending => {}
            Piece::End => break,
        }
    }
    Ok(())
}
