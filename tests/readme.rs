//! Runs the commands of README.md as printed, and checks the links between the documents and the length of README.md.
//!
//! A block of the language `console` has commands, each after `$ `, and their output. `chaos-proxy` runs in the background
//! until the end of the section, unless it is `chaos-proxy ctl` or wraps a command; a block of the language `log` has lines
//! of its log. Words that differ from run to run (times, process ids, ports of clients) may differ. A block of the language
//! `bash` is a script that has to succeed.
#![cfg(all(target_os = "linux", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write, stderr};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The ports that must be free, as the README states.
const PORTS: &[u16] = &[3000, 3001, 3002, 6432, 8180, 8181, 8182, 8183, 8184, 8474, 9090];

const DOCUMENTS: &[&str] = &["README.md", "configs/README.md", "tests/bench/README.md"];

const MOST_LINES: usize = 330;

/// How long a line of the log may take to be written.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn commands_do_what_the_readme_says() {
    // Another run of this test needs the same ports.
    let lock = File::create(env::temp_dir().join("chaos-proxy-readme.lock")).unwrap();
    lock.lock().unwrap();
    if let Some(port) = PORTS.iter().find(|port| TcpListener::bind(("127.0.0.1", **port)).is_err()) {
        return report(&format!("skipped: port {port} is in use"));
    }
    if Command::new("curl").arg("--version").output().is_err() {
        return report("skipped: curl is not installed");
    }
    let readme = fs::read_to_string("README.md").unwrap();
    for section in readme.split("\n## ") {
        let mut session = Session::new();
        for (language, block) in blocks(section) {
            match language {
                "console" => commands(block).iter().for_each(|(command, output)| session.run(command, output)),
                "bash" => session.script(block),
                "log" => block.lines().for_each(|line| session.assert_logged(line)),
                _ => {}
            }
        }
    }
}

/// The test harness captures the print macros, and shows their output only for failed tests.
fn report(skipped: &str) {
    stderr().write_all(format!("{skipped}\n").as_bytes()).unwrap();
}

/// A shell in a directory of its own, in which `configs` is there.
struct Session {
    directory: PathBuf,
    proxy: Option<Child>,
}

impl Session {
    fn new() -> Self {
        static SESSIONS: AtomicUsize = AtomicUsize::new(0);
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("chaos-proxy-readme-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        symlink(env::current_dir().unwrap().join("configs"), directory.join("configs")).unwrap();
        // curl prints its progress if stdout is not a terminal.
        fs::write(directory.join(".curlrc"), "no-progress-meter\n").unwrap();
        Self { directory, proxy: None }
    }

    fn run(&mut self, command: &str, expected: &str) {
        let is_other = command.starts_with("chaos-proxy ctl ") || command.contains(" -- ");
        let starts = command.starts_with("chaos-proxy ") && !is_other;
        let output = if starts { self.start(command) } else { self.output(command) };
        assert!(is_same(&output, expected), "{command}\nprints\n{output}\ninstead of\n{expected}\n{}", self.log());
    }

    fn output(&self, command: &str) -> String {
        let output = self.shell(&format!("{{ {command}\n}} 2>&1")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn script(&self, script: &str) {
        let output = self.shell(&format!("set -e\n{script}")).output().unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
    }

    /// Starts the proxy and returns its ready line.
    fn start(&mut self, command: &str) -> String {
        assert!(self.proxy.is_none(), "a section has one proxy");
        let log = File::create(self.directory.join("log")).unwrap();
        let mut proxy = self.shell(&format!("exec {command}")).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = proxy.stdout.as_mut().unwrap();
        let mut ready = String::new();
        BufReader::new(stdout.by_ref()).read_line(&mut ready).unwrap();
        self.proxy = Some(proxy);
        ready
    }

    fn shell(&self, command: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_chaos-proxy"));
        let path = format!("{}:{}", binary.parent().unwrap().display(), env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(&self.directory).env("PATH", path).env("HOME", &self.directory);
        shell
    }

    fn assert_logged(&self, line: &str) {
        let began = Instant::now();
        while !self.log().lines().any(|logged| is_same(logged, line)) {
            assert!(began.elapsed() < PATIENCE, "not logged: {line}\n{}", self.log());
            thread::yield_now();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(proxy) = &mut self.proxy {
            // Both fail only if it has ended.
            let _ = proxy.kill();
            let _ = proxy.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The fenced blocks of a document, each with its language.
fn blocks(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

/// The commands of a block, each with the output that is printed below it.
fn commands(block: &str) -> Vec<(&str, &str)> {
    let commands = format!("\n{block}");
    let starts: Vec<usize> = commands.match_indices("\n$ ").map(|(at, _)| at + 2).collect();
    let ends = starts.iter().skip(1).map(|start| start - 2).chain([block.len()]);
    starts.iter().zip(ends).map(|(start, end)| block[*start..end].split_once('\n').unwrap()).collect()
}

fn is_same(output: &str, printed: &str) -> bool {
    constant_words(output) == constant_words(printed)
}

/// The words of a text without what differs from run to run.
fn constant_words(text: &str) -> Vec<&str> {
    let next_words = text.split_whitespace().skip(1).chain([""]);
    text.split_whitespace().zip(next_words).map(|(word, next)| constant(word, next)).collect()
}

fn constant<'t>(word: &'t str, next: &str) -> &'t str {
    const VARIABLE: &[&str] = &["pid", "time", "client"];
    match word.split_once('=') {
        Some((key, _)) if VARIABLE.contains(&key) => key,
        _ if word.parse::<f64>().is_ok() && (word.contains('.') || next == "s") => "seconds",
        _ => word,
    }
}

#[test]
fn blocks_are_cut_into_commands_and_output() {
    let document = "a\n```console\n$ b\nc\nd 0.1 s\n$ e\n```\nf\n```sh\ng\n```\n";
    assert_eq!(blocks(document).collect::<Vec<_>>(), [("console", "$ b\nc\nd 0.1 s\n$ e\n"), ("sh", "g\n")]);
    assert_eq!(commands("$ b\nc\nd 0.1 s\n$ e\n"), [("b", "c\nd 0.1 s\n"), ("e", "")]);
    assert!(is_same("d 0.2 s pid=1", "d 0.1 s  pid=2") && !is_same("d 2", "d 1"));
}

#[test]
fn every_link_leads_somewhere() {
    let mut headings = HashMap::new();
    for document in DOCUMENTS {
        headings.insert(fs::canonicalize(document).unwrap(), anchors(&fs::read_to_string(document).unwrap()));
    }
    for document in DOCUMENTS {
        for link in links(&fs::read_to_string(document).unwrap()) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { document.into() } else { Path::new(document).with_file_name(file) };
            let target = fs::canonicalize(target).unwrap_or_else(|error| panic!("{document}: {link}: {error}"));
            let leads = anchor.is_empty() || headings.get(&target).is_some_and(|it| it.iter().any(|it| it == anchor));
            assert!(leads, "{document}: no heading for {link}");
        }
    }
}

/// The targets of links and pictures, except those on other hosts.
fn links(document: &str) -> Vec<String> {
    let targets = ["](", "src=\""].iter().flat_map(|begin| document.split(begin).skip(1));
    let targets = targets.filter_map(|rest| rest.split([')', '"']).next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The names that GitHub gives to the headings.
fn anchors(document: &str) -> Vec<String> {
    let texts = document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let is_kept = |letter: &char| letter.is_alphanumeric() || ['-', '_', ' '].contains(letter);
    texts.map(|text| text.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn the_readme_stays_short() {
    let lines = fs::read_to_string("README.md").unwrap().lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines: move details to configs/README.md");
}
