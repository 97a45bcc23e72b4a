//! The programs that are explored. Each is a bank and its client in one process: the client logs in and transfers 10, and
//! the process exits with 0 if the bank has the right balance in the end. The client connects through the proxy.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Each transfer, by its number.
static TRANSFERS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The time after which a client gives up a reply.
const PATIENCE: Duration = Duration::from_millis(300);

/// The attempts of a client.
const ATTEMPTS: u32 = 4;

const REPLY: &[u8] = b"balance 00010 of this account\n";

pub fn run() {
    let bank = TcpListener::bind(env::var("BANK").unwrap()).unwrap();
    thread::spawn(move || bank.incoming().flatten().for_each(|client| drop(thread::spawn(move || serve(&client)))));
    let code = match env::var("PROGRAM").unwrap().as_str() {
        "correct" => correct(),
        "twice" => sent_twice(),
        "hangs" => hangs_inside_a_reply(),
        "truncated" => accepts_half_a_reply(),
        "chatty" => another_conversation_each_time(),
        "failing" => fails_always(),
        "fragile" => does_not_stand_changed_replies(1),
        "fragile twice" => does_not_stand_changed_replies(2),
        other => panic!("{other}"),
    };
    exit(code);
}

/// A transfer with a number is made once, however often it is sent. One without a number is made each time. A line that is
/// cut off is none.
fn serve(client: &TcpStream) {
    let (mut reader, mut line) = (BufReader::new(client), String::new());
    while reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
        if line.starts_with("transfer") {
            let mut transfers = TRANSFERS.lock().unwrap();
            if line == "transfer\n" || !transfers.contains(&line) {
                transfers.push(line.clone());
            }
        }
        line.clear();
        if { client }.write_all(REPLY).is_err() {
            return;
        }
    }
}

fn connect() -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(env::var("CHAOS_PROXY_BANK_ADDR").unwrap())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a line and returns the whole reply.
fn ask(mut stream: &TcpStream, line: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(line.as_bytes())?;
    let mut reply = vec![0; REPLY.len()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// Tries until it works. Returns the exit code if the bank has made this number of transfers then.
fn retried(transfers: usize, attempt: impl Fn(&TcpStream) -> std::io::Result<()>) -> i32 {
    let works = (0..ATTEMPTS).any(|_| connect().and_then(|stream| attempt(&stream)).is_ok());
    i32::from(!works || TRANSFERS.lock().unwrap().len() != transfers)
}

fn correct() -> i32 {
    retried(1, |stream| {
        ask(stream, "login\n")?;
        ask(stream, "transfer number 1\n").map(drop)
    })
}

/// The bug: a transfer whose reply is lost is sent again.
fn sent_twice() -> i32 {
    retried(1, |stream| {
        ask(stream, "login\n")?;
        ask(stream, "transfer\n").map(drop)
    })
}

/// The bug: the time limit holds for the first byte of a reply only.
fn hangs_inside_a_reply() -> i32 {
    retried(1, |mut stream| {
        ask(stream, "login\n")?;
        stream.write_all(b"transfer number 1\n")?;
        let mut reply = vec![0; REPLY.len()];
        let read = stream.read(&mut reply)?;
        stream.set_read_timeout(None)?;
        stream.read_exact(&mut reply[read..])
    })
}

/// The bug: the end of the stream is taken for the end of the reply.
fn accepts_half_a_reply() -> i32 {
    let balance = std::cell::RefCell::new(Vec::new());
    let failed = retried(1, |mut stream| {
        ask(stream, "login\n")?;
        stream.write_all(b"transfer number 1\n")?;
        let mut reply = vec![0; REPLY.len()];
        let mut read = 0;
        while read < reply.len() {
            match stream.read(&mut reply[read..])? {
                0 if read == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                0 => break,
                more => read += more,
            }
        }
        reply.truncate(read);
        *balance.borrow_mut() = reply;
        Ok(())
    });
    failed | i32::from(*balance.borrow() != REPLY)
}

/// The number of its messages is random.
fn another_conversation_each_time() -> i32 {
    let count = 1 + std::process::id() % 97;
    retried(0, |stream| (0..count).try_for_each(|_| ask(stream, "login\n").map(drop)))
}

/// Five clients, one after the other, stand everything but changed replies on this number of connections.
fn does_not_stand_changed_replies(connections: usize) -> i32 {
    let is_changed = |_: &i32| {
        let mut is_changed = false;
        // A lost connection is no failure.
        let _ = connect().and_then(|stream| {
            stream.set_read_timeout(None)?;
            (0..20).try_for_each(|_| ask(&stream, "login\n").map(|reply| is_changed |= reply != REPLY))
        });
        is_changed
    };
    i32::from((0..5).filter(is_changed).count() >= connections)
}

fn fails_always() -> i32 {
    println!("the account is closed");
    3
}
