//! The targets: no proxy, chaos-proxy, or a peer. Starts them and waits until they listen.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::process_group::ProcessGroup;
use crate::subprocess::Subprocess;

const START_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// What stands between load and upstream.
pub enum Target {
    /// No proxy.
    Direct,
    /// The binary of chaos-proxy.
    ChaosProxy(PathBuf),
    /// A shell command, with `{listen}` and `{upstream}` in place of its ports.
    Peer { name: String, command: String },
}

impl Target {
    /// Reads `name=command`.
    pub fn peer(line: &str) -> Result<Self, String> {
        let (name, command) = line.split_once('=').ok_or(format!("PEERS: `{line}` is not name=command"))?;
        if !(command.contains("{listen}") && command.contains("{upstream}")) {
            return Err(format!("PEERS: the command of {name} needs {{listen}} and {{upstream}}"));
        }
        Ok(Self::Peer { name: name.trim().to_owned(), command: command.trim().to_owned() })
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Direct => "direct",
            Self::ChaosProxy(_) => "chaos-proxy",
            Self::Peer { name, .. } => name,
        }
    }

    /// Starts it in front of an upstream. None if there is no proxy.
    pub fn start(&self, upstream: u16) -> Outcome<Option<Proxy>> {
        match self {
            Self::Direct => Ok(None),
            Self::ChaosProxy(binary) => Proxy::chaos_proxy(binary, upstream, &["--quiet"]).map(Some),
            Self::Peer { command, .. } => Proxy::start(|listen| Ok(shell_command(command, listen, upstream))).map(Some),
        }
    }
}

fn shell_command(command: &str, listen: u16, upstream: u16) -> Vec<String> {
    let command = command.replace("{listen}", &listen.to_string()).replace("{upstream}", &upstream.to_string());
    vec!["sh".to_owned(), "-c".to_owned(), format!("exec {command}")]
}

/// A running target. Dropping it kills its process group.
pub struct Proxy {
    guard: Subprocess,
    pub port: u16,
    pub processes: ProcessGroup,
}

impl Proxy {
    /// chaos-proxy on one route.
    pub fn chaos_proxy(binary: &Path, upstream: u16, flags: &[&str]) -> Outcome<Self> {
        let binary = binary.display().to_string();
        Self::start(|listen| {
            let route = format!("--listen {listen} --upstream 127.0.0.1:{upstream}");
            let args = route.split(' ').chain(flags.iter().copied());
            Ok([binary.as_str()].into_iter().chain(args).map(str::to_owned).collect())
        })
    }

    /// chaos-proxy on one route with a toxic, as the config writes it.
    pub fn with_toxic(binary: &Path, upstream: u16, toxic: &Value) -> Outcome<Self> {
        Self::start(|listen| {
            let route = json!({ "localPort": listen, "upstream": format!("127.0.0.1:{upstream}"), "toxics": [toxic] });
            let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toxic.json");
            fs::write(&config, json!([route]).to_string())?;
            Ok([binary, "--config".as_ref(), &config, "--quiet".as_ref()].map(|word| word.display().to_string()).into())
        })
    }

    fn start(args: impl FnOnce(u16) -> Outcome<Vec<String>>) -> Outcome<Self> {
        let port = free_port()?;
        let args = args(port)?;
        let mut guard = Subprocess::start(["guard"].into_iter().chain(args.iter().map(String::as_str)))?;
        let processes = ProcessGroup(guard.read_line()?.parse()?);
        let mut proxy = Self { guard, port, processes };
        proxy.wait_until_it_accepts()?;
        Ok(proxy)
    }

    /// Whether it has ended, for any reason.
    pub fn has_ended(&mut self) -> bool {
        self.guard.has_ended()
    }

    fn wait_until_it_accepts(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).is_err() {
            if self.has_ended() {
                return Err("ended before it listened".into());
            }
            if Instant::now() > deadline {
                return Err(format!("does not listen within {} s", START_TIMEOUT.as_secs()).into());
            }
            thread::sleep(RETRY_INTERVAL);
        }
        Ok(())
    }
}

/// A port that is free now. The kernel does not assign it again soon.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
