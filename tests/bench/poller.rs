//! Waits for the readable ones among many sockets, with epoll, for the event loops of load and upstream. Redis, nginx, wrk
//! and Node.js use epoll too; with poll(2), each turn would pay for every idle socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// More sockets than any workload has: one turn handles all that are ready.
const MAX_EVENTS: usize = 1024;

/// A set of sockets, known by their descriptors. A socket leaves it when it is closed.
pub struct Poller(OwnedFd);

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC)?))
    }

    pub fn add(&self, socket: impl AsFd) -> io::Result<()> {
        let key = EventData::new_u64(u64::from(socket.as_fd().as_raw_fd().cast_unsigned()));
        Ok(epoll::add(&self.0, socket, key, EventFlags::IN)?)
    }

    /// Returns the sockets where a read will not block: data, end of stream or an error. Empty after `timeout`.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<RawFd>> {
        let timeout = timeout.map(TryInto::try_into).transpose().map_err(io::Error::other)?;
        let mut events: Vec<Event> = Vec::with_capacity(MAX_EVENTS);
        epoll::wait(&self.0, spare_capacity(&mut events), timeout.as_ref())?;
        events.iter().map(|event| RawFd::try_from(event.data.u64()).map_err(io::Error::other)).collect()
    }
}
