//! The proxy on a terminal, as a person sees it: sentences, folded faults, colours, and the status line.

mod pty;
mod screen;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use unicode_width::UnicodeWidthStr;

use self::pty::Pty;
use self::screen::Screen;
use crate::harness::{Setup, StreamEnd, accept, echoes, one_route, read_to_end, serve_echo, with_timeouts};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

fn on_terminal(setup: Setup, columns: u16) -> Pty {
    Pty::start(columns, |terminal| setup.start_on_terminal(terminal))
}

fn colored(setup: Setup) -> Setup {
    setup.env("TERM", "xterm").env("NO_COLOR", "")
}

fn plain(setup: Setup) -> Setup {
    setup.env("TERM", "xterm").env("NO_COLOR", "1")
}

/// The status line of a proxy with this number of open connections.
fn status(open: usize) -> impl Fn(&Screen) -> bool {
    move |screen| screen.last_line().starts_with(&format!("{open} open · "))
}

/// The lines without the time.
fn without_times(text: &str) -> Vec<&str> {
    let time = "12:34:56.789 ".len();
    text.lines().filter(|line| line.get(2..3) == Some(":")).filter_map(|line| line.get(time..)).collect()
}

fn connect(ip: Ipv4Addr) -> TcpStream {
    with_timeouts(TcpStream::connect((ip, 8180)).unwrap())
}

#[test]
fn a_connection_is_logged_in_sentences_above_the_status_line() {
    let setup = plain(one_route(r#""name": "db", "latencyMs": 300"#));
    let (ip, upstream) = (setup.ip(), setup.upstream());
    let mut pty = on_terminal(setup, 120);
    pty.wait_until(status(0));
    let mut client = connect(ip);
    let address = client.local_addr().unwrap();
    let mut server = accept(&upstream);
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    pty.wait_until(status(1));
    drop(client);
    drop(server);
    pty.wait_for("closed: ");
    pty.wait_until(status(0));
    pty.press(CTRL_C);
    let (code, text) = pty.wait();
    assert_eq!(code, Some(0));
    let lines = without_times(&text);
    for expected in [
        format!("info  db  listening on {ip}:8180 → {ip}:9090, latency 300 ms"),
        format!("info  db #1  opened from {address}"),
        "fault db #1  latency 300 ms".to_owned(),
        "info  draining, no new connections, 0 left".to_owned(),
        "info  drained".to_owned(),
    ] {
        assert!(lines.contains(&&*expected), "{expected}\n{text}");
    }
    let (log, summary) = text.split_once("info  drained\n").unwrap();
    assert!(!log.contains('·'), "the status line is erased:\n{text}");
    assert!(summary.starts_with("\nroute  connections") && summary.contains("\ndb     "), "{text}");
    assert!(!pty.raw().contains("\x1b[3"), "NO_COLOR");
}

#[test]
fn faults_are_colored_and_lines_fit() {
    let name = "日本語の名前".repeat(5);
    let setup = colored(one_route(&format!(r#""name": "{name}", "dropRate": 1, "dropMode": "reset""#)));
    let ip = setup.ip();
    let mut pty = on_terminal(setup, 60);
    pty.wait_until(status(0));
    let _ = TcpStream::connect((ip, 8180)).map(|client| read_to_end(&with_timeouts(client)));
    let text = pty.wait_for("closed: dropped");
    // The table at the end of the run is wider.
    assert!(pty.widest() <= 60, "{text}");
    pty.press(CTRL_C);
    let (_, text) = pty.wait();
    assert!(pty.raw().contains("\x1b[1;35mdrop\x1b[0m reset"), "{:?}", pty.raw());
    assert!(text.contains("… #1"), "{text}");
}

#[test]
fn the_summary_fits_80_columns() {
    let name = "日本語の名前".repeat(5);
    let setup = plain(one_route(&format!(r#""name": "{name}", "dropRate": 1"#)));
    let ip = setup.ip();
    let mut pty = on_terminal(setup, 80);
    pty.wait_until(status(0));
    assert_eq!(read_to_end(&connect(ip)), StreamEnd::Fin(Vec::new()));
    pty.wait_for("closed: dropped");
    pty.press(CTRL_C);
    let (_, text) = pty.wait();
    let (_, summary) = text.split_once("drained\n\n").unwrap();
    let table = summary.split("\n\n").next().unwrap();
    let widths: Vec<usize> = table.lines().map(UnicodeWidthStr::width).collect();
    assert!(widths.len() == 2 && widths[0] == widths[1] && widths[0] <= 80, "{widths:?}\n{text}");
}

#[test]
fn lines_fit_a_narrow_terminal() {
    let setup = plain(one_route(r#""name": "payments""#));
    let ip = setup.ip();
    let pty = on_terminal(setup, 40);
    pty.wait_until(status(0));
    // No upstream listens.
    let _ = read_to_end(&connect(ip));
    let text = pty.wait_for("closed");
    assert!(pty.widest() <= 40, "{text}");
    assert!(text.contains(&format!("payments\n  listening on {ip}:8180 →\n  {ip}:9090\n")), "{text}");
}

#[test]
fn text_in_a_file_does_not_depend_on_the_terminal() {
    let setup = plain(one_route(r#""name": "db""#));
    let ip = setup.ip();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{ip}.log"));
    let _ = fs::remove_file(&file);
    let setup = setup.args(["--log-format", "text", "--log-file", file.to_str().unwrap()]);
    let mut pty = on_terminal(setup, 30);
    pty.wait_for("ready ");
    pty.press(CTRL_C);
    assert_eq!(pty.wait().0, Some(0));
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(&format!("info  db  listening on {ip}:8180 → {ip}:9090\n")), "{text}");
}

/// A toxic acts on each segment, and each of the 20 messages is one. It delays the end of the stream too. `--verbose` logs
/// every act.
#[test]
fn repeated_faults_are_folded() {
    let toxic = r#""toxics": [{ "type": "latency", "stream": "upstream", "attributes": { "latency": 1 } }]"#;
    let setup = plain(one_route(toxic)).args(["--verbose"]);
    serve_echo(setup.upstream());
    let ip = setup.ip();
    let mut pty = on_terminal(setup, 100);
    pty.wait_until(status(0));
    let client = connect(ip);
    assert!((0..20).all(|_| echoes(&client, b"message")));
    drop(client);
    pty.wait_for("closed: ");
    pty.press(CTRL_C);
    let (_, text) = pty.wait();
    let acts = without_times(&text).into_iter().filter(|line| line.contains("latency ↑ "));
    let counts: Vec<u64> = acts.map(|line| line.rsplit_once(" … ×").map_or(1, |(_, n)| n.parse().unwrap())).collect();
    assert_eq!(counts.iter().sum::<u64>(), 21, "{text}");
    // A second begins with each line, and even a busy machine needs few of them.
    assert!(counts.len() < 21, "{text}");
}

/// A narrower terminal wraps the line, which then takes two rows.
#[test]
fn a_resized_terminal_has_one_status_line() {
    let mut pty = on_terminal(plain(one_route("")), 100);
    pty.wait_until(|screen| screen.last_line() == "0 open · 0 faults · ↑ 0 B/s · ↓ 0 B/s");
    for (columns, line) in [
        (30, "0 open · 0 faults"),
        (100, "0 open · 0 faults · ↑ 0 B/s · ↓ 0 B/s"),
        (20, "0 open"),
        (35, "0 open · 0 faults · ↑ 0 B/s"),
    ] {
        pty.resize(columns);
        let text = pty.wait_until(|screen| screen.last_line() == line);
        assert_eq!(text.matches("0 open").count(), 1, "{text}");
    }
    pty.press(CTRL_C);
    let (_, text) = pty.wait();
    assert!(text.contains("listening") && !text.contains("open"), "{text}");
}

#[test]
fn a_suspended_proxy_leaves_the_terminal_to_the_shell() {
    let setup = plain(one_route(""));
    let command = format!("TERM=xterm NO_COLOR=1 {}\n", setup.command_line());
    let mut pty = Pty::start(100, |terminal| {
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"]).env("PS1", "shell> ");
        shell.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap()
    });
    pty.wait_until(|screen| screen.last_line() == "shell> ");
    pty.press(&command);
    pty.wait_until(status(0));
    pty.press(CTRL_Z);
    let text = pty.wait_until(|screen| screen.text().contains("Stopped") && screen.last_line() == "shell> ");
    assert!(!text.contains("open"), "{text}");
    pty.press("fg\n");
    pty.wait_until(status(0));
    pty.press(CTRL_C);
    let text = pty.wait_until(|screen| screen.text().contains("drained") && screen.last_line() == "shell> ");
    assert!(!text.contains("open"), "{text}");
    pty.press("exit\n");
    assert_eq!(pty.wait().0, Some(0));
}

#[test]
fn a_drain_names_the_connections_that_are_left() {
    let setup = plain(one_route(r#""name": "db""#));
    let (ip, upstream) = (setup.ip(), setup.upstream());
    let mut pty = on_terminal(setup, 100);
    pty.wait_until(status(0));
    let clients: Vec<_> = (0..7).map(|_| (connect(ip), accept(&upstream))).collect();
    pty.wait_until(status(7));
    pty.press(CTRL_C);
    pty.wait_until(|screen| screen.last_line().starts_with("draining, 7 open · Ctrl-C again cuts them · "));
    let text = pty.wait_for("still open: and 2 more");
    let first = clients[0].0.local_addr().unwrap();
    let lines = without_times(&text);
    assert!(lines.contains(&"info  still draining, 7 left"), "{text}");
    assert!(text.contains("a second Ctrl-C (SIGINT) or SIGTERM cuts them"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with(&format!("info  db #1  still open from {first} for "))), "{text}");
    assert_eq!(lines.iter().filter(|line| line.contains("still open from")).count(), 5, "{text}");
    pty.press(CTRL_C);
    let (code, text) = pty.wait();
    assert_eq!(code, Some(130));
    assert!(text.contains("drain cut short, cut 7"), "{text}");
    assert!(clients.iter().all(|(client, _)| read_to_end(client) == StreamEnd::Reset));
}

#[test]
fn there_is_no_status_line_where_it_is_not_wanted() {
    for (term, flags) in [
        ("dumb", &[][..]),
        ("xterm", &["--quiet"]),
        ("xterm", &["--log-format", "logfmt"]),
        ("xterm", &["--log-format", "json"]),
    ] {
        let setup = one_route("").env("TERM", term).env("NO_COLOR", "").args(flags);
        let mut pty = on_terminal(setup, 100);
        pty.wait_for("ready ");
        pty.press(CTRL_C);
        let (code, text) = pty.wait();
        assert_eq!(code, Some(0));
        assert!(!pty.raw().contains('\x1b') && !text.contains("open"), "{term} {flags:?}\n{text}");
    }
}

#[test]
fn text_in_a_pipe_has_neither_colors_nor_a_status_line() {
    let setup = one_route(r#""name": "db", "dropRate": 1"#).env("TERM", "xterm").env("NO_COLOR", "");
    let mut proxy = setup.args(["--log-format", "text"]).start();
    assert_eq!(read_to_end(&proxy.connect()), StreamEnd::Fin(Vec::new()));
    proxy.logged(&["fault db #1  drop close"]);
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.wait(), 0);
    assert!(!proxy.log_text().contains('\x1b'), "{}", proxy.log_text());
}

#[test]
fn config_errors_are_colored() {
    let invalid = |setup: Setup| {
        let mut pty = on_terminal(setup.args(["--config", "configs/invalid/invalid_zero_port.json"]), 100);
        let (code, text) = pty.wait();
        assert_eq!(code, Some(2));
        assert!(text.contains("invalid_zero_port.json:3:18: error: port 0 is out of range"), "{text}");
        pty.raw().contains('\x1b')
    };
    assert!(invalid(colored(Setup::new())));
    assert!(!invalid(plain(Setup::new())));
}
