//! What the kernel holds for a peer that does not read, as far as the tests look at it.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::TcpMaxSeg};
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

/// Less than the proxy's buffer for small messages.
const SMALL: usize = 1000;

/// A proxy that leaves a message unread for that long waits for a full sink.
const STUCK: Duration = Duration::from_millis(100);

/// The kernel sizes the send buffer of a socket by the segments that its peer takes (`tcp_sndbuf_expand` in
/// `net/ipv4/tcp_input.c`): for those of loopback, of 64 KiB, it is megabytes.
const SEGMENT: u32 = 536;

/// Makes what a socket receives, or those that a listener accepts do, fill up soon.
fn fill_up_soon(socket: impl AsFd) {
    setsockopt(&socket, TcpMaxSeg, &SEGMENT).unwrap();
    set_socket_recv_buffer_size(&socket, 4096).unwrap();
}

/// A client that fills up soon.
pub fn connect_small(addr: SocketAddr) -> TcpStream {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    fill_up_soon(&socket);
    connect(&socket, &addr).unwrap();
    socket.into()
}

/// An upstream that fills up soon.
pub fn shrink(upstream: &TcpListener) {
    fill_up_soon(upstream);
}

/// Sends small messages, each once the one before was read, until the reader stops reading; returns the number of bytes
/// sent. The last message may have been left unread.
pub fn fill_with_small_messages(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    let mut sent = 0;
    for message in bytes.chunks(SMALL) {
        stream.write_all(message).unwrap();
        sent += message.len();
        if !is_read(stream) {
            return sent;
        }
    }
    panic!("it reads without end");
}

/// Whether what the kernel holds for `stream` to read grows no more.
pub fn receives_nothing_more(stream: &TcpStream) -> bool {
    let (mut seen, mut since) = (0, Instant::now());
    while since.elapsed() < STUCK {
        let unread = ioctl_fionread(stream).unwrap();
        if unread != seen {
            (seen, since) = (unread, Instant::now());
        }
        thread::yield_now();
    }
    seen > 0
}

fn is_read(stream: &TcpStream) -> bool {
    let (peer, own) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    let sent = Instant::now();
    while unread(peer, own) > 0 {
        if sent.elapsed() > STUCK {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// The bytes that a socket of this machine has received and that were not read, from the table in proc(5), or
/// those that were sent to it and have not arrived.
fn unread(local: SocketAddr, remote: SocketAddr) -> u64 {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let ends = format!(" {} {} ", in_table(local), in_table(remote));
    let line = table.lines().find(|line| line.contains(&ends)).unwrap_or_default();
    let queues = line.split_whitespace().nth(4).unwrap_or("0:0");
    u64::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap()
}

fn in_table(addr: SocketAddr) -> String {
    let SocketAddr::V4(addr) = addr else { panic!("IPv4 only") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(addr.ip().octets()), addr.port())
}
