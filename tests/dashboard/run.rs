//! A proxy with an admin server, an upstream that echoes, and clients of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running proxy. Each test has an address of its own.
pub struct Run {
    pub ip: IpAddr,
    config: String,
    flags: Vec<String>,
    proxy: Child,
}

impl Run {
    /// The route `db`, with more keys, and more keys of the file.
    pub fn start(number: u8, route: &Value, file: &Value, flags: &[&str]) -> Self {
        let ip = IpAddr::from(Ipv4Addr::new(127, 61, 0, number));
        echo(SocketAddr::from((ip, 9090)));
        let mut db = json!({ "name": "db", "bind": ip, "localPort": 8180, "upstream": format!("{ip}:9090") });
        db.as_object_mut().unwrap().extend(route.as_object().unwrap().clone());
        let mut config = json!({ "admin": format!("{ip}:8474"), "seed": 7, "routes": [db] });
        config.as_object_mut().unwrap().extend(file.as_object().unwrap().clone());
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let (config, proxy) = (config.to_string(), start(&config.to_string(), &flags));
        Self { ip, config, flags, proxy }
    }

    pub fn plain(number: u8) -> Self {
        Self::start(number, &json!({}), &json!({}), &[])
    }

    pub fn url(&self) -> String {
        format!("http://{}:8474/", self.ip)
    }

    /// The process ends at once, as after a crash.
    pub fn kill(&mut self) {
        self.proxy.kill().unwrap();
        self.proxy.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.proxy = start(&self.config, &self.flags);
    }

    pub fn connect(&self) -> TcpStream {
        let client = TcpStream::connect((self.ip, 8180)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// The time of a round trip through the proxy, on a connection of its own.
    pub fn round_trip(&self) -> Duration {
        let (mut client, began) = (self.connect(), Instant::now());
        client.write_all(b"request").unwrap();
        client.read_exact(&mut [0; 7]).unwrap();
        began.elapsed()
    }

    /// Round trips one after another, until the result is dropped.
    pub fn traffic(&self) -> Traffic {
        let (mut client, stop) = (self.connect(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let mut bytes = [7; 4096];
            while !stopped.load(Ordering::Relaxed)
                && client.write_all(&bytes).is_ok()
                && client.read_exact(&mut bytes).is_ok()
            {
                thread::sleep(Duration::from_millis(5));
            }
        });
        Traffic(stop)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

pub struct Traffic(Arc<AtomicBool>);

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns when the admin server answers.
fn start(config: &str, flags: &[String]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
    command.args(["--config", "-"]).args(flags).env_remove("CHAOS_PROXY_ADMIN_TOKEN");
    let mut proxy = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    proxy.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready "), "{line}");
    proxy
}

fn echo(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
}
