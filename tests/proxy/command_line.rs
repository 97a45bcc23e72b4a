//! The command line: help, version, errors, exit codes, and the ready line.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use crate::harness::{Setup, echoes, one_route, serve_echo, unique_ip};

fn chaos_proxy(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn prints_help_and_version_to_stdout() {
    let help = chaos_proxy(&["--help"]);
    assert!(help.status.success() && text(&help.stdout).starts_with("chaos-proxy: ") && help.stderr.is_empty());
    let version = chaos_proxy(&["-version"]);
    assert_eq!(text(&version.stdout), concat!("chaos-proxy ", env!("CARGO_PKG_VERSION"), "\n"));
    let details = chaos_proxy(&["--version", "--verbose"]);
    let features = if cfg!(feature = "yaml") { "\nfeatures: yaml\n" } else { "\nfeatures: none\n" };
    assert!(text(&details.stdout).starts_with(text(&version.stdout).trim_end()));
    assert!(text(&details.stdout).contains(features) && text(&details.stdout).contains("\ntarget: "));
    assert_eq!(chaos_proxy(&["help"]).stdout, help.stdout);
    let full_help = chaos_proxy(&["--help", "--verbose"]).stdout;
    assert!(text(&full_help).contains("--drain-timeout") && !text(&help.stdout).contains("--drain-timeout"));
}

#[test]
fn usage_error_exits_with_2() {
    let output = chaos_proxy(&["--confg", "x"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "chaos-proxy: unknown flag --confg; did you mean --config?\ntry `chaos-proxy --help`\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn config_error_exits_with_2() {
    for file in ["configs/invalid/invalid_zero_port.json", "configs/there_is_no_such_file.json"] {
        for check in [&[][..], &["--check"]] {
            let output = chaos_proxy(&[&["--config", file][..], check].concat());
            assert_eq!(output.status.code(), Some(2), "{file}");
            assert!(text(&output.stderr).contains(file), "{}", text(&output.stderr));
        }
    }
}

#[test]
fn reads_the_config_from_stdin() {
    let check = |text: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        command.args(["--check", "--config", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let json = check("\n[{ \"localPort\": 8180, \"upstream\": \"127.0.0.1:9090\" }]");
    let expected = "\
name  listen          upstream        state    faults
8180  127.0.0.1:8180  127.0.0.1:9090  enabled  -
ok: 1 route
";
    assert_eq!(text(&json.stdout), expected, "{}", text(&json.stderr));
    #[cfg(feature = "yaml")]
    assert_eq!(text(&check("# JSON?\n- localPort: 8180\n  upstream: 127.0.0.1:9090\n").stdout), expected);
    let invalid = check("[{ \"localPort\": 0, \"upstream\": \"127.0.0.1:9090\" }]");
    assert!(
        text(&invalid.stderr).starts_with("stdin:1:17: error: port 0 is out of range\n"),
        "{}",
        text(&invalid.stderr)
    );
}

#[test]
fn check_opens_no_ports() {
    let ip = unique_ip();
    let holder = TcpListener::bind((ip, 8180)).unwrap();
    let output = chaos_proxy(&["--check", "--bind", &ip.to_string(), "--listen=8180", "-upstream=127.0.0.1:1"]);
    let printed = text(&output.stdout);
    assert!(output.status.code() == Some(0) && printed.ends_with("\nok: 1 route\n"), "{printed}");
    drop(holder);
}

#[test]
fn check_prints_the_differences_from_an_older_config() {
    let check = |new, old| chaos_proxy(&["--check", new, "--against", old]);
    let [old, new] = ["configs/valid/basic.json", "configs/valid/ipv6.json"];
    let changed = check(new, old);
    let expected = "- route 8180\n+ route 8186  127.0.0.1:8186 -> [::1]:9092\n";
    assert_eq!((changed.status.code(), text(&changed.stdout)), (Some(0), expected));
    let same = check(old, old);
    assert_eq!((same.status.code(), text(&same.stdout)), (Some(0), "no change\n"));
    let both_invalid = check("configs/invalid/bad_bind.json", "configs/invalid/loop.json");
    let problems = text(&both_invalid.stderr);
    assert_eq!(both_invalid.status.code(), Some(2));
    assert!(problems.contains("bad_bind.json: 1 problem") && problems.contains("loop.json: 1 problem"), "{problems}");
}

#[test]
fn check_prints_the_addresses_of_host_names() {
    let output = chaos_proxy(&["--check", "--resolve", "--listen", "8180", "--upstream", "localhost:9090"]);
    let printed = text(&output.stdout);
    assert!(printed.starts_with("localhost -> ") && printed.ends_with("\nok: 1 route\n"), "{printed}");
}

#[test]
fn prints_ready_when_every_port_accepts() {
    let setup = Setup::new().route(8182, 9090, "").route(8180, 9090, "").route(8181, 9090, "");
    let setup = setup.route(8183, 9090, r#""enabled": false"#);
    serve_echo(setup.upstream());
    let proxy = setup.start();
    assert_eq!(proxy.ready, format!("ready pid={} ports=8182,8180,8181", proxy.pid()));
    assert!([8180, 8181, 8182].into_iter().all(|port| echoes(&proxy.connect_to(port), b"ready")));
}

/// The pipe of stdout is full from the start, and has no reader.
#[test]
fn blocked_stdout_does_not_block_the_proxy() {
    let mut proxy = one_route("").start_with_full_stdout();
    proxy.logged(&["msg=listening"]);
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn port_in_use_exits_with_1_and_opens_no_route() {
    let setup = Setup::new().route(8180, 9090, "").route(8181, 9090, "").route(8182, 9090, "");
    let ip = setup.ip();
    let _holder = TcpListener::bind((ip, 8181)).unwrap();
    let mut proxy = setup.launch();
    assert_eq!((proxy.wait(), &*proxy.ready), (1, ""));
    proxy.logged(&["level=error", "can't listen", "port=8181", "Address already in use", "hint="]);
    assert!(proxy.lines(&["msg=listening"]).is_empty());
    assert!(TcpStream::connect((ip, 8180)).is_err());
}

#[test]
fn flags_define_a_route() {
    let ip = unique_ip();
    let upstream = TcpListener::bind((ip, 9090)).unwrap();
    let upstream_addr = format!("{ip}:9090");
    serve_echo(upstream);
    let setup = Setup::new();
    let proxy = setup.args(["--listen", "8180", "--upstream", &upstream_addr, "--bind", &ip.to_string()]).start();
    let client = TcpStream::connect((ip, 8180)).unwrap();
    assert!(echoes(&client, b"no file"));
    drop(proxy);
}

#[test]
fn flags_define_toxics_and_a_profile() {
    let setup = Setup::new();
    let ip = setup.ip();
    let upstream = TcpListener::bind((ip, 9090)).unwrap();
    let (listen, upstream_addr) = (format!("{ip}:8180"), format!("{ip}:9090"));
    let route = ["--listen", &listen, "--upstream", &upstream_addr];
    let setup = setup.args(route).args(["--profile", "wifi", "--toxic", "corrupt:rate=1,name=flip", "--log", "faults"]);
    serve_echo(upstream);
    let proxy = setup.start();
    assert!(!echoes(&proxy.connect(), b"no file"));
    proxy.logged(&["fault=corrupt toxic=flip stream=downstream"]);
    proxy.logged(&["fault=latency toxic=wifi_latency stream=upstream"]);
}

#[test]
fn invalid_toxic_exits_with_2_and_shows_the_flags() {
    let route = ["--listen", "8180", "--upstream", "127.0.0.1:9090"];
    let output = chaos_proxy(&[&route[..], &["--toxic", "noop", "--toxic", "latency:latency=100ms"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let expected = "\
command line:2:25: error: expected a whole number, found text
  |
2 | --toxic latency:latency=100ms
  |                         ^^^^^
  |
  = help: write 100, in ms

command line: 1 problem
";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn test_server_answers_on_every_route() {
    let setup = Setup::new().route(8180, 3000, "").route(8181, 3001, "").route(8182, 3000, "");
    let ip = setup.ip();
    let mut proxy = setup.args(["--test-server"]).start();
    for (port, upstream) in [(8180, 3000), (8181, 3001), (8182, 3000)] {
        let answer = http_get(&proxy.connect_to(port));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("{ip}:{upstream}")), "{answer}");
    }
    assert_eq!(proxy.stop(), 0);
}

#[test]
fn test_server_bind_failure_exits_with_1() {
    let setup = Setup::new().route(8180, 3000, "");
    let _holder = TcpListener::bind((setup.ip(), 3000)).unwrap();
    let mut proxy = setup.args(["--test-server"]).launch();
    let expected = format!("{}:3000", proxy.ip);
    assert_eq!(proxy.wait(), 1);
    proxy.logged(&["can't start", &expected]);
}

fn http_get(mut stream: &TcpStream) -> String {
    use std::io::{Read, Write};
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
