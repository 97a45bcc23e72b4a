//! Starts the real binary, each time on its own loopback address, so that tests run in parallel on the same ports.
//! Waits are for conditions, and [`TIMEOUT`] turns a hang into a failure. A test sleeps only if the pause is its input:
//! a slow peer, or a stopped process.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
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

/// Far longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The bound for an immediate reaction. The proxy checks at least once a second whether a client has left; the rest is
/// for a busy machine. It is not above the 5 s that a peer has to answer a FIN, so that waiting for those is not
/// immediate.
const IMMEDIATE: Duration = Duration::from_secs(5);

/// Whether one of three runs is immediate. A busy machine may delay single runs; a delay by design affects all of them.
pub fn is_immediate(lasting: impl Fn() -> Duration) -> bool {
    (0..3).any(|_| lasting() < IMMEDIATE)
}

/// A loopback address that no other test uses: 13 bits from the process id and an 11-bit counter. One process starts
/// some hundreds of proxies.
pub fn unique_ip() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(count < 1 << 11, "more setups than addresses");
    Ipv4Addr::from_bits(127 << 24 | (id() << 11 | count) & 0xff_ffff)
}

/// The configuration of a run.
pub struct Setup {
    ip: Ipv4Addr,
    routes: Vec<String>,
    /// Further keys of the config file.
    keys: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    launcher: Vec<String>,
}

/// A setup with one route, from port 8180 to the upstream at port 9090. `keys` are further JSON keys of the route.
pub fn one_route(keys: &str) -> Setup {
    Setup::new().route(8180, 9090, keys)
}

impl Setup {
    pub fn new() -> Self {
        Self {
            ip: unique_ip(),
            routes: Vec::new(),
            keys: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            launcher: Vec::new(),
        }
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

    /// Adds a route as JSON.
    pub fn raw_route(mut self, route: &str) -> Self {
        self.routes.push(route.to_owned());
        self
    }

    /// Adds a key of the file, with its value, as JSON.
    pub fn file_key(mut self, key: &str) -> Self {
        self.keys.push(key.to_owned());
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

    /// Listens on port 9090, the upstream of most routes.
    pub fn upstream(&self) -> TcpListener {
        TcpListener::bind((self.ip, 9090)).unwrap()
    }

    fn spawn(&self) -> Child {
        self.spawn_with_stdout(Stdio::piped())
    }

    /// Starts the proxy in a session of its own, with a terminal as its stdin, stdout and stderr.
    pub fn start_on_terminal(mut self, terminal: &File) -> Child {
        self.launcher = ["setsid", "--ctty"].map(str::to_owned).to_vec();
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        self.command().stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap()
    }

    /// The command line, for a shell.
    pub fn command_line(&self) -> String {
        let command = self.command();
        let words = [command.get_program()].into_iter().chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn spawn_with_stdout(&self, stdout: Stdio) -> Child {
        self.command().stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self) -> Command {
        let argv = self.launcher.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_chaos-proxy")]);
        let argv: Vec<&str> = argv.collect();
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).args(self.config_args()).args(&self.args);
        command.env_remove("RUST_LOG").envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Without routes there is no config file: the test passes the route as flags.
    fn config_args(&self) -> Vec<String> {
        if self.routes.is_empty() {
            return Vec::new();
        }
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.json", self.ip));
        let routes = format!("[{}]", self.routes.join(",\n"));
        let text = match &self.keys[..] {
            [] => routes,
            keys => format!("{{\"routes\": {routes},\n{}}}", keys.join(",\n")),
        };
        fs::write(&path, text).unwrap();
        vec!["--config".to_owned(), path.display().to_string()]
    }

    /// Starts the proxy and waits until it is ready.
    pub fn start(self) -> Proxy {
        let proxy = self.launch();
        assert!(proxy.ready.starts_with("ready "), "not ready:\n{}", proxy.log_text());
        proxy
    }

    /// Starts the proxy with SIGINT and SIGHUP ignored, like a background job of a script under nohup.
    pub fn start_from_a_script(mut self) -> Proxy {
        self.launcher = ["sh", "-c", "trap '' INT HUP; exec \"$0\" \"$@\""].map(str::to_owned).to_vec();
        self.start()
    }

    /// Starts the proxy with this descriptor limit.
    pub fn start_with_descriptors(mut self, limit: u32) -> Proxy {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        self.launcher = vec!["sh".to_owned(), "-c".to_owned(), script];
        self.start()
    }

    /// Starts the proxy with a full pipe as stdout.
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

    /// Starts the proxy without reading its log. [`Proxy::read_log`] starts that later.
    pub fn start_unread(self) -> (Proxy, ChildStderr) {
        let mut child = self.spawn();
        let stderr = child.stderr.take().unwrap();
        let ready = first_line(&mut child);
        (Proxy { child, ready, ip: self.ip, log: Log::default(), _full_stdout: None }, stderr)
    }

    /// Starts the proxy and waits until it is ready or has ended.
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

/// A running proxy. Dropping it kills the process.
pub struct Proxy {
    child: Child,
    /// The first line of stdout.
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

    /// How a connection to port 8180 ends without the client sending anything. If the RST arrives before connect(2)
    /// returns, connect(2) fails with it.
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

    /// Waits until the process ends and returns its exit code.
    pub fn wait(&mut self) -> i32 {
        let pidfd = pidfd_open(rustix::process::Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let timeout = Timespec::try_from(TIMEOUT).unwrap();
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout));
        assert_eq!(ended, Ok(1), "it does not end:\n{}", self.log_text());
        self.log.wait_for_end();
        self.child.wait().unwrap().code().unwrap()
    }

    /// Waits until a signal ends the process, and returns its number.
    pub fn end_by_signal(&mut self) -> i32 {
        self.child.wait().unwrap().signal().unwrap()
    }

    /// Sends SIGTERM and returns the exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for a log line that contains all of `parts`, and returns it.
    pub fn logged(&self, parts: &[&str]) -> String {
        self.log.wait_for(|line| parts.iter().all(|part| line.contains(part)), &format!("{parts:?}"))
    }

    /// The log lines so far that contain all of `parts`.
    pub fn lines(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.log.lines();
        lines.into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
    }

    pub fn log_text(&self) -> String {
        self.log.lines().join("\n")
    }

    /// Starts reading the log.
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
    /// Whether more lines may follow.
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

/// Sets timeouts, so that a test fails instead of hanging.
pub fn with_timeouts(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Accepts the next connection to an upstream.
pub fn accept(upstream: &TcpListener) -> TcpStream {
    let timeout = Timespec::try_from(TIMEOUT).unwrap();
    let ready = poll(&mut [PollFd::new(upstream, PollFlags::IN)], Some(&timeout));
    assert_eq!(ready, Ok(1), "the upstream was not dialled");
    with_timeouts(upstream.accept().unwrap().0)
}

/// Both ends of a new connection, after it has forwarded its first byte.
pub fn forwarding_pair(proxy: &Proxy, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = (proxy.connect(), accept(upstream));
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    (client, server)
}

/// Whether an upstream has no connection to accept.
pub fn has_no_connection(upstream: &TcpListener) -> bool {
    upstream.set_nonblocking(true).unwrap();
    upstream.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Echoes every connection until its EOF.
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

/// Sends `bytes` and returns whether they come back.
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

/// Reads until EOF or a reset.
pub fn read_to_end(mut stream: &TcpStream) -> StreamEnd {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => StreamEnd::Fin(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => StreamEnd::Reset,
        Err(error) => panic!("neither a FIN nor a reset: {error}"),
    }
}

/// Closes a stream with a RST.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}
