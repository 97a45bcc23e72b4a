//! Three machines in network namespaces: a client, a server, and a router between them, on which the proxy runs.

use std::fs::File;
use std::io::{Read, Write, stderr};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// A network namespace.
pub struct Machine {
    name: String,
}

pub struct Network {
    pub client: Machine,
    pub router: Machine,
    server: Machine,
}

/// The commands that connect the machines C, R and S.
const SETUP: &str = "
ip netns add C; ip netns add R; ip netns add S
ip -n R link add c type veth peer name r netns C
ip -n R link add s type veth peer name r netns S
for machine in C R S; do ip -n $machine link set lo up; done
ip -n C link set r up; ip -n S link set r up; ip -n R link set c up; ip -n R link set s up
ip -n C addr add 10.1.0.2/24 dev r; ip -n C addr add fd00:1::2/64 dev r nodad
ip -n R addr add 10.1.0.1/24 dev c; ip -n R addr add fd00:1::1/64 dev c nodad
ip -n S addr add 10.2.0.2/24 dev r; ip -n S addr add fd00:2::2/64 dev r nodad
ip -n R addr add 10.2.0.1/24 dev s; ip -n R addr add fd00:2::1/64 dev s nodad
ip -n C route add default via 10.1.0.1; ip -n C -6 route add default via fd00:1::1
ip -n S route add default via 10.2.0.1; ip -n S -6 route add default via fd00:2::1
ip netns exec R sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
";

impl Network {
    /// The server answers on the ports 7000, 7001 and 5432 with the address that it sees. `None` without the privileges or the
    /// programs for it; the reason is printed.
    pub fn new() -> Option<Self> {
        static NETWORKS: AtomicUsize = AtomicUsize::new(0);
        for program in
            [&["nft", "--version"][..], &["iptables", "--version"], &["ip", "-Version"], &["sysctl", "--version"]]
        {
            if Command::new(program[0]).args(&program[1..]).output().is_err() {
                return skipped(&format!("{} is not installed", program[0]));
            }
        }
        let prefix = format!("chaos-{}-{}", std::process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed));
        let [client, router, server] = ["c", "r", "s"].map(|it| Machine { name: format!("{prefix}-{it}") });
        let network = Self { client, router, server };
        let names = [("C", &network.client), ("R", &network.router), ("S", &network.server)];
        let variables: Vec<String> =
            names.iter().map(|(short, machine)| format!("{short}={}\n", machine.name)).collect();
        // In the commands, the short names are words of their own.
        let setup = ["C", "R", "S"].iter().fold(SETUP.to_owned(), |text, short| {
            text.replace(&format!(" {short} "), &format!(" ${short} "))
                .replace(&format!(" {short}\n"), &format!(" ${short}\n"))
                .replace(&format!(" {short};"), &format!(" ${short};"))
        });
        let output = Command::new("sh").arg("-ec").arg(variables.concat() + &setup).output().unwrap();
        if !output.status.success() {
            return skipped(&format!("no network namespaces: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        network.serve();
        Some(network)
    }

    fn serve(&self) {
        let addresses = [7000, 7001, 5432].into_iter().flat_map(|port| [server_v4(port), server_v6(port)]);
        for address in addresses {
            let listener = self.server.inside(move || TcpListener::bind(address).unwrap());
            thread::spawn(move || {
                for mut client in listener.incoming().flatten() {
                    thread::spawn(move || {
                        let peer = client.peer_addr().unwrap().to_string();
                        if client.read(&mut [0]).is_ok_and(|read| read > 0) {
                            let _ = client.write_all(peer.as_bytes());
                        }
                    });
                }
            });
        }
    }
}

pub fn server_v4(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 2, 0, 2], port))
}

pub fn server_v6(port: u16) -> SocketAddr {
    format!("[fd00:2::2]:{port}").parse().unwrap()
}

/// The address of the client, of the family of `server`.
pub fn client_ip(server: SocketAddr) -> IpAddr {
    if server.is_ipv4() { "10.1.0.2" } else { "fd00:1::2" }.parse().unwrap()
}

/// The address of the router on the side of the server.
pub fn router_ip(server: SocketAddr) -> IpAddr {
    if server.is_ipv4() { "10.2.0.1" } else { "fd00:2::1" }.parse().unwrap()
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in [&self.client, &self.router, &self.server] {
            let _ = Command::new("ip").args(["netns", "delete", &machine.name]).output();
        }
    }
}

impl Machine {
    /// Does something on this machine: sockets and processes stay there.
    pub fn inside<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        // The namespace of a thread ends with it.
        let thread = thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            act()
        });
        thread.join().unwrap()
    }

    pub fn connect(&self, address: SocketAddr) -> TcpStream {
        self.inside(move || TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))).unwrap()
    }

    pub fn run_script(&self, script: &str, arguments: &[&str]) {
        let (script, arguments) = (script.to_owned(), arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
        let output = self.inside(move || {
            let mut command = Command::new("sh");
            let mut sh =
                command.args(["-s", "-"]).args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            sh.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            sh.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The macros that print are captured if the test succeeds.
fn skipped<T>(why: &str) -> Option<T> {
    stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
    None
}
