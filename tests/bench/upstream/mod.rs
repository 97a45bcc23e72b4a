//! The upstream of every target, a process of its own: which kind of server it is. What each kind does is in its own file.

mod event_loop;
mod threads;

use std::net::{Ipv4Addr, TcpListener};

use rustix::net::listen;

use crate::Outcome;
use crate::subprocess::wait_for_end;
use crate::wire::reserve_descriptors;

/// No target may fail because of our backlog.
pub const BACKLOG: i32 = 4096;

/// Serves as `words` say, until its owner drops it. Prints its port once it serves.
pub fn run(args: &[&str]) -> Outcome<()> {
    reserve_descriptors()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, BACKLOG)?;
    let port = listener.local_addr()?.port();
    match args {
        ["threads", count] => threads::start(listener, count.parse()?)?,
        ["event-loop"] => event_loop::start(listener)?,
        _ => return Err("upstream threads COUNT, or upstream event-loop".into()),
    }
    println!("{port}");
    wait_for_end();
    Ok(())
}
