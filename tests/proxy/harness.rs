//! Starts the real binary on an address of its own, so that tests run side by side on the same ports, and waits for
//! what it says. Whatever is waited for has a condition, and [`PATIENCE`] turns a hang into a failure. A test sleeps only
//! where the pause is what it does to the proxy: a peer that is slow, a process that is held up.

use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

/// Far more than anything here takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The proxy looks once a second at least whether a client has left; the rest is the machine's. It is no longer than the
/// 5 s that a peer has to answer a FIN, so that who waits for those is not at once.
const IMMEDIATE: Duration = Duration::from_secs(5);

/// Whether something takes no longer than what has to be done. On a busy machine the proxy may not get to run in time, so
/// one of a few runs is enough; were it late by design, all of them would be.
pub fn is_immediate(lasting: impl Fn() -> Duration) -> bool {
    (0..3).any(|_| lasting() < IMMEDIATE)
}

/// An address of the loopback network that no other test has: 13 bits of the process's number and a count of 11, since
/// one process starts some hundreds of proxies.
pub fn unique_ip() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(count < 1 << 11, "more setups than addresses");
    Ipv4Addr::from_bits(127 << 24 | (id() << 11 | count) & 0xff_ffff)
}

/// A run that is being put together.
pub struct Setup {
    ip: Ipv4Addr,
    routes: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    launcher: Vec<String>,
}

/// A run on one route, port 8180, to the upstream at port 9090; `keys` are more keys of that route, in JSON.
pub fn one_route(keys: &str) -> Setup {
    Setup::new().route(8180, 9090, keys)
}

impl Setup {
    pub fn new() -> Self {
        Self { ip: unique_ip(), routes: Vec::new(), args: Vec::new(), env: Vec::new(), launcher: Vec::new() }
    }

    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    pub fn route(mut self, port: u16, upstream: u16, keys: &str) -> Self {
        let ip = self.ip;
        let comma = if keys.is_empty() { "" } else { ", " };
        let upstream = format!(r#""upstream": "{ip}:{upstream}""#);
        self.routes.push(format!(r#"{{"localPort": {port}, "bind": "{ip}", {upstream}{comma}{keys}}}"#));
        self
    }

    /// A route in the config's own words.
    pub fn raw_route(mut self, route: &str) -> Self {
        self.routes.push(route.to_owned());
        self
    }

    pub fn args<T: Display>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.to_string()));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens where a route of port 9090 connects to.
    pub fn upstream(&self) -> TcpListener {
        TcpListener::bind((self.ip, 9090)).unwrap()
    }

    fn spawn(&self) -> Child {
        self.spawn_with_stdout(Stdio::piped())
    }

    fn spawn_with_stdout(&self, stdout: Stdio) -> Child {
        let words = self.launcher.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_chaos-proxy")]);
        let words: Vec<&str> = words.collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(self.config_args()).args(&self.args);
        command.env_remove("RUST_LOG").envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Without routes there is no file: they are in the flags then.
    fn config_args(&self) -> Vec<String> {
        if self.routes.is_empty() {
            return Vec::new();
        }
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", self.ip));
        fs::write(&path, format!("[{}]", self.routes.join(",\n"))).unwrap();
        vec!["--config".to_owned(), path.display().to_string()]
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Proxy {
        let proxy = self.launch();
        assert!(proxy.ready.starts_with("ready "), "not ready:\n{}", proxy.log_text());
        proxy
    }

    /// Starts it as a script does in the background, under nohup: with SIGINT and SIGHUP ignored.
    pub fn start_from_a_script(mut self) -> Proxy {
        self.launcher = ["sh", "-c", "trap '' INT HUP; exec \"$0\" \"$@\""].map(str::to_owned).to_vec();
        self.start()
    }

    /// Starts it with no more than so many descriptors.
    pub fn start_with_descriptors(mut self, limit: u32) -> Proxy {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        self.launcher = vec!["sh".to_owned(), "-c".to_owned(), script];
        self.start()
    }

    /// Starts it with a stdout that takes nothing.
    pub fn start_with_full_stdout(self) -> Proxy {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while (&writer).write(&[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).unwrap();
        let mut child = self.spawn_with_stdout(Stdio::from(writer));
        let log = Log::default();
        log.follow(child.stderr.take().unwrap());
        Proxy { child, ready: String::new(), ip: self.ip, log, _full_stdout: Some(reader) }
    }

    /// Starts it, with nobody reading its log until [`Proxy::read_log`].
    pub fn start_unread(self) -> (Proxy, ChildStderr) {
        let mut child = self.spawn();
        let stderr = child.stderr.take().unwrap();
        let ready = first_line(&mut child);
        (Proxy { child, ready, ip: self.ip, log: Log::default(), _full_stdout: None }, stderr)
    }

    /// Starts it, and waits until it is ready or has ended.
    pub fn launch(self) -> Proxy {
        let mut child = self.spawn();
        let log = Log::default();
        log.follow(child.stderr.take().unwrap());
        let ready = first_line(&mut child);
        Proxy { child, ready, ip: self.ip, log, _full_stdout: None }
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// A running binary; killed when it is dropped.
pub struct Proxy {
    child: Child,
    /// The first line of its stdout.
    pub ready: String,
    pub ip: Ipv4Addr,
    log: Log,
    _full_stdout: Option<PipeReader>,
}

impl Proxy {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddrV4::new(self.ip, port).into()
    }

    /// Connects to port 8180.
    pub fn connect(&self) -> TcpStream {
        self.connect_to(8180)
    }

    pub fn connect_to(&self, port: u16) -> TcpStream {
        with_timeouts(TcpStream::connect(self.addr(port)).unwrap())
    }

    /// How a connection to port 8180 ends whose client sends nothing. Where a RST is here before connect(2) has returned,
    /// that call tells of it.
    pub fn end_of_silent_client(&self) -> StreamEnd {
        match TcpStream::connect(self.addr(8180)) {
            Ok(client) => read_to_end(&with_timeouts(client)),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => StreamEnd::Reset,
            Err(error) => panic!("neither a connection nor a reset: {error}"),
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Waits for the end and returns the exit code.
    pub fn wait(&mut self) -> i32 {
        let pidfd = pidfd_open(rustix::process::Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let timeout = Timespec::try_from(TIMEOUT).unwrap();
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout));
        assert_eq!(ended, Ok(1), "it does not end:\n{}", self.log_text());
        self.log.wait_for_end();
        self.child.wait().unwrap().code().unwrap()
    }

    /// SIGTERM, and the exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for a log line that has all of `parts` in it, and returns it.
    pub fn logged(&self, parts: &[&str]) -> String {
        self.log.wait_for(|line| parts.iter().all(|part| line.contains(part)), &format!("{parts:?}"))
    }

    /// The log lines so far that have all of `parts` in them.
    pub fn lines(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.log.lines();
        lines.into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
    }

    pub fn log_text(&self) -> String {
        self.log.lines().join("\n")
    }

    /// Has the log read from here on.
    pub fn read_log(&self, stderr: ChildStderr) {
        self.log.follow(stderr);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Default)]
struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    /// Whether somebody still reads more of them.
    open: bool,
}

impl Log {
    fn follow(&self, stderr: ChildStderr) {
        let log = self.clone();
        log.change(|lines| lines.open = true);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.change(|lines| lines.lines.push(line));
            }
            log.change(|lines| lines.open = false);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    fn wait_for(&self, wanted: impl Fn(&str) -> bool, what: &str) -> String {
        let (lines, changed) = &*self.0;
        let missing = |lines: &mut Lines| !lines.lines.iter().any(|line| wanted(line)) && lines.open;
        let (lines, _) = changed.wait_timeout_while(lines.lock().unwrap(), TIMEOUT, missing).unwrap();
        let found = lines.lines.iter().find(|line| wanted(line));
        found.unwrap_or_else(|| panic!("no {what} in the log:\n{}", lines.lines.join("\n"))).clone()
    }

    fn wait_for_end(&self) {
        let (lines, changed) = &*self.0;
        drop(changed.wait_timeout_while(lines.lock().unwrap(), TIMEOUT, |lines| lines.open).unwrap());
    }
}

/// A stream on which a test fails instead of hanging.
pub fn with_timeouts(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// The next connection that reaches an upstream.
pub fn accept(upstream: &TcpListener) -> TcpStream {
    let timeout = Timespec::try_from(TIMEOUT).unwrap();
    let ready = poll(&mut [PollFd::new(upstream, PollFlags::IN)], Some(&timeout));
    assert_eq!(ready, Ok(1), "nobody connects to the upstream");
    with_timeouts(upstream.accept().unwrap().0)
}

/// Both ends of a connection that has been forwarding already.
pub fn forwarding_pair(proxy: &Proxy, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = (proxy.connect(), accept(upstream));
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    (client, server)
}

/// Whether nobody has connected to an upstream.
pub fn has_no_connection(upstream: &TcpListener) -> bool {
    upstream.set_nonblocking(true).unwrap();
    upstream.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Sends back whatever comes, on each connection, until its end.
pub fn serve_echo(upstream: TcpListener) {
    thread::spawn(move || {
        for stream in upstream.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = std::io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
}

/// Sends `bytes` and expects them back.
pub fn echoes(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    let mut back = vec![0; bytes.len()];
    stream.write_all(bytes).is_ok() && stream.read_exact(&mut back).is_ok() && back == bytes
}

/// How a stream ends, as its reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamEnd {
    Fin(Vec<u8>),
    Reset,
}

/// Reads to the end.
pub fn read_to_end(mut stream: &TcpStream) -> StreamEnd {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => StreamEnd::Fin(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => StreamEnd::Reset,
        Err(error) => panic!("neither an end nor a reset: {error}"),
    }
}

/// Closes a stream with a RST.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}
