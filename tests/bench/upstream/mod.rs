//! The upstream, a process of its own, the same for every target. Binds a port and starts one of two kinds of server; each
//! has its own file.

mod event_loop;
mod threads;

use std::net::{Ipv4Addr, TcpListener};

use rustix::net::listen;

use crate::Outcome;
use crate::subprocess::wait_for_end;
use crate::wire::reserve_descriptors;

/// Large enough that no target fails because of a full backlog.
pub const BACKLOG: i32 = 4096;

/// Serves until its owner drops it. Prints its port once it serves.
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
