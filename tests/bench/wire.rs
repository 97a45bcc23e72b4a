//! What the load and the upstream say to each other. A connection carries tasks, each eight bytes from the load, which
//! the upstream sends back before it begins. Bulk comes in blocks, the last of them marked: so its end needs no
//! half-close, which not every proxy passes on, and its bytes are counted by the one who receives them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longer than anything here waits for a byte: it turns a stuck target into a failed one.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Few system calls for the load and the upstream, and it stays in the cache.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// What every block begins with, and is filled with.
const MORE: u8 = b'm';
const LAST: u8 = b'l';
const PADDING: u8 = b'.';

pub const TASK_BYTES: usize = 8;

/// One request to the event loop, and its answer, the same bytes: as long as a GET of redis-benchmark, which asks for
/// `key:` and twelve digits.
pub const REQUEST_BYTES: usize = 36;

/// What the load asks of the upstream.
#[derive(Clone, Copy)]
pub enum Task {
    /// Nothing but the eight bytes back.
    Answer,
    /// Everything back, from here on.
    Echo,
    /// Blocks for so long, then the number of bytes that the upstream received.
    Stream(Direction, Duration),
}

/// Which way bulk goes, seen from the one who has it.
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

/// Sends a task and waits until it comes back: one round trip, after which the upstream is at work.
pub fn ask(mut stream: &TcpStream, task: Task) -> io::Result<()> {
    let mut back = [0; TASK_BYTES];
    stream.write_all(&task.to_bytes())?;
    stream.read_exact(&mut back)?;
    if back == task.to_bytes() { Ok(()) } else { Err(corrupted()) }
}

/// One side's part of [`Task::Stream`]; returns the number of bytes that came in.
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

/// Bytes are missing, or are not what was sent.
pub fn corrupted() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "bytes arrive other than they were sent")
}

/// As many as the largest workload has, a thousand connections with both ends in one process, and more.
const DESCRIPTORS: i32 = 4096;

/// A thousand connections need more descriptors than the usual soft limit gives. And room in the kernel's table of them:
/// where that has to grow, all of a process's threads may wait for 15 ms (`expand_fdtable` in `fs/file.c`).
pub fn reserve_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    // Refused where fewer are allowed; then there are no more doublings to wait for either.
    let _ = fcntl_dupfd_cloexec(io::stdin(), DESCRIPTORS);
    Ok(())
}
