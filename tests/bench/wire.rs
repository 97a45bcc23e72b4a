//! The protocol between load and upstream. A connection carries tasks: the load sends eight bytes, and the upstream sends
//! them back before it begins. Bulk data is sent in blocks, and the last block is marked: its end needs no half-close,
//! which some proxies do not forward. The receiver counts the bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longer than any working target takes for a byte: a target that hangs fails instead.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Large enough for few system calls, small enough for the cache.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The first byte of a block, and all its other bytes.
const MORE: u8 = b'm';
const LAST: u8 = b'l';
const PADDING: u8 = b'.';

pub const TASK_BYTES: usize = 8;

/// The size of a request to the event loop, and of its answer, which is the same bytes: that of redis-benchmark's GET of
/// `key:` and twelve digits.
pub const REQUEST_BYTES: usize = 36;

/// What the load requests of the upstream.
#[derive(Clone, Copy)]
pub enum Task {
    /// Send the eight bytes back, nothing more.
    Answer,
    /// Send every byte back from now on.
    Echo,
    /// Exchange blocks for this duration, then send the number of bytes received.
    Stream(Direction, Duration),
}

/// The direction of bulk data, as the load or the upstream that holds this value sees it.
#[derive(Clone, Copy)]
pub enum Direction {
    Up,
    Down,
    Both,
}

impl Task {
    pub fn to_bytes(self) -> [u8; TASK_BYTES] {
        let (tag, duration) = match self {
            Self::Answer => (b'a', Duration::ZERO),
            Self::Echo => (b'e', Duration::ZERO),
            Self::Stream(Direction::Up, duration) => (b'u', duration),
            Self::Stream(Direction::Down, duration) => (b'd', duration),
            Self::Stream(Direction::Both, duration) => (b'b', duration),
        };
        let [a, b, c, d] = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).to_be_bytes();
        [tag, 0, 0, 0, a, b, c, d]
    }

    pub fn from_bytes([tag, _, _, _, millis @ ..]: [u8; TASK_BYTES]) -> io::Result<Self> {
        let duration = Duration::from_millis(u32::from_be_bytes(millis).into());
        match tag {
            b'a' => Ok(Self::Answer),
            b'e' => Ok(Self::Echo),
            b'u' => Ok(Self::Stream(Direction::Up, duration)),
            b'd' => Ok(Self::Stream(Direction::Down, duration)),
            b'b' => Ok(Self::Stream(Direction::Both, duration)),
            _ => Err(corrupted()),
        }
    }
}

impl Direction {
    pub fn reversed(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
            Self::Both => Self::Both,
        }
    }
}

pub fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Sends a task and waits until it comes back: one round trip, after which the upstream has begun.
pub fn ask(mut stream: &TcpStream, task: Task) -> io::Result<()> {
    let mut back = [0; TASK_BYTES];
    stream.write_all(&task.to_bytes())?;
    stream.read_exact(&mut back)?;
    if back == task.to_bytes() { Ok(()) } else { Err(corrupted()) }
}

/// One side's part of [`Task::Stream`]; returns the number of bytes received.
pub fn exchange(stream: &TcpStream, direction: Direction, duration: Duration) -> io::Result<u64> {
    match direction {
        Direction::Up => send_blocks(stream, duration).map(|()| 0),
        Direction::Down => receive_blocks(stream),
        Direction::Both => thread::scope(|scope| {
            let sender = scope.spawn(|| send_blocks(stream, duration));
            let received = receive_blocks(stream)?;
            sender.join().unwrap_or_else(|_| Err(corrupted()))?;
            Ok(received)
        }),
    }
}

fn send_blocks(mut stream: &TcpStream, duration: Duration) -> io::Result<()> {
    let deadline = Instant::now() + duration;
    let mut block = vec![PADDING; BLOCK_BYTES];
    block[0] = MORE;
    while Instant::now() < deadline {
        stream.write_all(&block)?;
    }
    block[0] = LAST;
    stream.write_all(&block)
}

fn receive_blocks(mut stream: &TcpStream) -> io::Result<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut received = 0;
    loop {
        stream.read_exact(&mut block)?;
        received += BLOCK_BYTES as u64;
        match block[0] {
            MORE => {}
            LAST => return Ok(received),
            _ => return Err(corrupted()),
        }
    }
}

/// Bytes are missing or differ from those sent.
pub fn corrupted() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "bytes are missing or differ from those sent")
}

/// More than the largest workload needs: a thousand connections with both ends in one process.
const DESCRIPTORS: i32 = 4096;

/// Raises the soft limit, which is usually below a thousand connections, and grows the kernel's descriptor table now: while
/// it grows later, every thread of the process may wait for 15 ms (`expand_fdtable` in `fs/file.c`).
pub fn reserve_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    // Fails where the hard limit is lower; then the table does not grow that far either.
    let _ = fcntl_dupfd_cloexec(io::stdin(), DESCRIPTORS);
    Ok(())
}
