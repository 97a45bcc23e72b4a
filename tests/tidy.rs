//! Checks the structure of the project: which module may import which, that only `threads.rs` spawns threads, and what
//! the top level contains. It reads the sources as text and reports violations by file and line.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Imports go down only: a module may import modules of lower layers, as `crate::…` or `super::…`, but none of its own
/// layer or above. `main.rs` and `lib.rs` are above all layers.
const LAYERS: &[&[&str]] = &[
    &["run"],
    &["control"],
    &["cli"],
    &["explore", "shrink"],
    &["admin", "ctl"],
    &["harness"],
    &["reload", "status_line", "test_server", "explain"],
    &["config", "http", "proxy"],
    &["event", "free_port", "overview", "redirect"],
    &["plan"],
    &["toxic"],
    &["dice"],
    &["value"],
    &["logging", "signals", "watch"],
    &["limits", "listen", "memory", "plot", "scheduling", "spelling", "stop", "table", "threads"],
    &["columns", "terminal", "units"],
];

/// The layers inside `proxy`.
const PROXY_LAYERS: &[&[&str]] = &[
    &["supervisor"],
    &["listener"],
    &["connection"],
    &["forward"],
    &["shared"],
    &["registry"],
    &["status"],
    &["client"],
    &["state"],
    &["live_route"],
    &["counters"],
    &["own_sources"],
    &["admission", "budget", "histogram", "recording", "socket"],
];

/// Modules that receive time, randomness and bytes as arguments, so that their tests need neither a socket nor a sleep.
const PURE: &[&str] = &["columns", "dice", "explain", "plan", "redirect", "toxic", "value"];
const IMPURE: &[&str] = &["TcpStream", "TcpListener", "std::thread", "Instant::now", "log"];

/// Only `threads.rs` may use these: it sets a name and a stack size, and returns an error where std would panic.
const THREAD_SPAWNERS: &[&str] = &["thread::Builder", "thread::spawn", "thread::scope"];

/// The most lines of a file: about eight screens.
const MAX_LINES: usize = 400;

/// Names that do not describe a module and so attract unrelated code.
const VAGUE_NAMES: &[&str] = &["util", "utils", "common", "helpers"];

const TOP_LEVEL: &[&str] = &["Cargo.toml", "Cargo.lock", "src", "tests", "configs", "README.md", "Makefile", "LICENSE"];

/// The crates of the design card, which gives their reasons.
const DESIGN_CARD: &[&str] =
    &["serde", "serde_json", "pico-args", "log", "env_logger", "fastrand", "ctrlc", "crossbeam-channel"];

#[test]
fn imports_follow_the_layers() {
    let files = rust_files("src").into_iter().chain(rust_files("tests"));
    assert_none(&files.flat_map(|file| violations(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn top_level_has_no_other_entries() {
    let known = |name: &str| name.starts_with('.') || TOP_LEVEL.contains(&name);
    let stray: BTreeSet<String> = top_level().into_iter().filter(|name| !known(name)).collect();
    assert!(stray.is_empty(), "{stray:?}: the top level contains {TOP_LEVEL:?} and dot files only");
}

#[test]
fn additional_dependencies_have_a_reason() {
    assert_none(&unexplained_dependencies(&read("Cargo.toml")));
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// All violations in `source`, the text of `file`.
fn violations(file: &str, source: &str) -> Vec<String> {
    let mut found = file_violations(file, source);
    if let Some(module) = module(file) {
        found.extend(missing_layer(&module).map(|rule| format!("{file}:1: {rule}")));
        for (line, path) in paths(&code(source)) {
            found.extend(path_violation(&module, &path).map(|rule| format!("{file}:{line}: {rule}")));
        }
    }
    found
}

fn file_violations(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push(format!("{file}:1: begin with `//!`: what lives here and what does not"));
    }
    if file.starts_with("src/") && source.lines().count() > MAX_LINES {
        found.push(format!("{file}:{}: over {MAX_LINES} lines: split the file", MAX_LINES + 1));
    }
    if let Some(name) = file.split(['/', '.']).find(|part| VAGUE_NAMES.contains(part)) {
        found.push(format!("{file}:1: `{name}` does not describe its contents"));
    }
    found
}

/// Reports a module without a layer, which no rule would check.
fn missing_layer(module: &[&str]) -> Option<String> {
    let (layers, name) = match module {
        ["proxy", inner, ..] => ("PROXY_LAYERS", (layer(PROXY_LAYERS, inner).is_none()).then_some(inner)),
        [outer, ..] => ("LAYERS", (layer(LAYERS, outer).is_none()).then_some(outer)),
        [] => return None,
    };
    name.map(|name| format!("`{name}` is in no layer yet: add it to {layers} in tests/tidy.rs"))
}

fn path_violation(module: &[&str], path: &[&str]) -> Option<String> {
    let top = module.first().copied().unwrap_or_default();
    if path.contains(&"unsafe") {
        return Some("no unsafe code".to_owned());
    }
    if top != "threads" && contains_any(path, THREAD_SPAWNERS) {
        return Some("only threads.rs spawns threads: use crate::threads::spawn".to_owned());
    }
    if PURE.contains(&top) && contains_any(path, IMPURE) {
        return Some(format!("`{top}` must not do I/O, sleep, log or read a clock: `{}`", path.join("::")));
    }
    layer_violation(module, &absolute(module, path)?)
}

/// Compares the layers of two modules at the first level where their paths differ.
fn layer_violation(from: &[&str], to: &[&str]) -> Option<String> {
    let (layers, from, to) = match (from, to) {
        (["proxy", from, ..], ["proxy", to, ..]) => (PROXY_LAYERS, from, to),
        ([from, ..], [to, ..]) => (LAYERS, from, to),
        _ => return None,
    };
    let is_below = layer(layers, from)? < layer(layers, to).unwrap_or_default();
    let stays_pure = !PURE.contains(from) || PURE.contains(to);
    (from != to && !(is_below && stays_pure))
        .then(|| format!("`{from}` must not import `{to}`: imports go down only, see tests/tidy.rs"))
}

/// The layer of a module, from 0 at the top.
fn layer(layers: &[&[&str]], module: &str) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

/// Whether `path` contains one of `wanted`. A single word is not a path, because it may be any variable or method.
fn contains_any(path: &[&str], wanted: &[&str]) -> bool {
    let text = format!("::{}::", path.join("::"));
    path.len() > 1 && wanted.iter().any(|wanted| text.contains(&format!("::{wanted}::")))
}

/// The module path of a file: `src/proxy/listener.rs` is `proxy::listener`, `src/proxy/mod.rs` is `proxy`, the roots
/// `main.rs` and `lib.rs` have an empty path, and tests have none.
fn module(file: &str) -> Option<Vec<&str>> {
    let name = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    Some(name.split('/').filter(|part| !["main", "lib", "mod"].contains(part)).collect())
}

/// Resolves a path of this crate to one from its root.
fn absolute<'a>(module: &[&'a str], path: &[&'a str]) -> Option<Vec<&'a str>> {
    let ups = path.iter().take_while(|part| **part == "super").count();
    match path.first()? {
        &"crate" | &"chaos_proxy" => Some(path[1..].to_vec()),
        &"self" => Some([module, &path[1..]].concat()),
        &"super" => Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat()),
        _ => None,
    }
}

/// The source without comments and unit tests. Line numbers stay the same.
fn code(source: &str) -> String {
    let tested = source.split("\n#[cfg(test)]\nmod ").next().unwrap();
    tested.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect()
}

/// Every path in `code` with the line that it ends on. Groups are expanded: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    // The prefix of each open brace; the path so far; whether the last token was `::`.
    let (mut groups, mut path, mut joined) = (Vec::new(), Vec::new(), false);
    for (line, token) in tokens(code) {
        if token == "{" {
            groups.push(if joined { path.clone() } else { Vec::new() });
        } else if token == "}" {
            groups.pop();
        } else if token.starts_with(is_word) {
            if joined {
                found.pop();
            } else {
                path = groups.last().cloned().unwrap_or_default();
            }
            path.push(token);
            found.push((line, path.clone()));
        }
        joined = token == "::" && !path.is_empty();
        if !joined && !token.starts_with(is_word) {
            path.clear();
        }
    }
    found
}

/// Words, `::`, and other characters as single tokens, each with its line.
fn tokens(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().zip(1..).flat_map(|(text, line)| tokens_of(text).into_iter().map(move |token| (line, token)))
}

fn tokens_of(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_word(first) => rest.find(|next| !is_word(next)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn unexplained_dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut among_dependencies, mut above) = (false, "");
    for (line, number) in manifest.lines().zip(1..) {
        if line.starts_with('[') {
            among_dependencies = line.ends_with("dependencies]");
        }
        let name = line.split(['=', '.', ' ']).next().unwrap();
        let is_dependency = among_dependencies && line.starts_with(is_word);
        if is_dependency && !above.starts_with('#') && !DESIGN_CARD.contains(&name) {
            found.push(format!("Cargo.toml:{number}: `{name}` needs a comment above it with its reason"));
        }
        above = line;
    }
    found
}

fn at(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(file: &str) -> String {
    fs::read_to_string(at(file)).unwrap()
}

fn names_in(folder: &str) -> Vec<String> {
    fs::read_dir(at(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// All Rust files below `folder`, as paths from the top level.
fn rust_files(folder: &str) -> Vec<String> {
    let paths = names_in(folder).into_iter().map(|name| format!("{folder}/{name}"));
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| at(path).is_dir());
    let files = files.into_iter().filter(|path| at(path).extension().is_some_and(|it| it == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

/// The top-level entries tracked by git. Outside of a git repository, all entries except the build directory.
fn top_level() -> Vec<String> {
    let git = Command::new("git").arg("ls-files").current_dir(at("")).output();
    let listed = git.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    if listed.is_empty() {
        return names_in("").into_iter().filter(|name| name != "target").collect();
    }
    listed.lines().map(|path| path.split('/').next().unwrap().to_owned()).collect()
}

/// Tests of the checker: each rule reports a violation in a sample source, and none reports a valid one.
mod checker {
    use super::*;

    #[track_caller]
    fn assert_violation(file: &str, source: &str, expected: &str) {
        let found = violations(file, &format!("//! A file.\n{source}\n"));
        assert!(matches!(found.as_slice(), [one] if one.contains(expected)), "{source}\n{found:#?}");
    }

    #[test]
    fn finds_upward_imports() {
        let up = "src/config/check.rs:2: `config` must not import `proxy`";
        assert_violation("src/config/check.rs", "use crate::proxy::Supervisor;", up);
        assert_violation("src/config/check.rs", "fn f() -> super::super::proxy::Supervisor {}", up);
        assert_violation("src/config/check.rs", "use crate::{plan::{self, Port}, proxy};", up);
        assert_violation(
            "src/plan/mod.rs",
            "\nuse crate::{\n    stop,\n};",
            "src/plan/mod.rs:4: `plan` must not import `stop`",
        );
        assert_violation("src/threads.rs", "use super::stop::Stop;", "`threads` must not import `stop`");
        assert_violation("src/event.rs", "use crate::Exit;", "`event` must not import `Exit`");
        assert_violation(
            "src/proxy/forward/side.rs",
            "use crate::proxy::listener;",
            "`forward` must not import `listener`",
        );
        assert_violation("src/proxy/state.rs", "use crate::proxy::Route;", "`state` must not import `Route`");
    }

    #[test]
    fn finds_modules_without_a_layer() {
        assert_violation("src/unknown.rs", "", "src/unknown.rs:1: `unknown` is in no layer yet");
        assert_violation("src/proxy/unknown.rs", "", "`unknown` is in no layer yet");
    }

    #[test]
    fn finds_impure_code_in_pure_modules() {
        for impure in
            ["use std::net::TcpStream;", "use std::{thread, fmt};", "let now = Instant::now();", "log::info!();"]
        {
            assert_violation("src/dice.rs", impure, "src/dice.rs:2: `dice` must not do I/O");
        }
    }

    #[test]
    fn finds_threads_spawned_elsewhere() {
        for built in ["thread::spawn(work);", "use std::thread::{self, Builder};", "std::thread::scope(|_| ());"] {
            assert_violation("src/stop.rs", built, "src/stop.rs:2: only threads.rs spawns threads");
        }
    }

    #[test]
    fn finds_bad_files() {
        assert_violation("src/stop.rs", "unsafe { f() }", "src/stop.rs:2: no unsafe code");
        assert_violation("src/stop.rs", &"\n".repeat(MAX_LINES), "src/stop.rs:401: over 400 lines");
        assert_violation("tests/common/mod.rs", "", "`common` does not describe");
        assert_eq!(
            violations("tests/a.rs", "use b;"),
            ["tests/a.rs:1: begin with `//!`: what lives here and what does not"]
        );
    }

    #[test]
    fn accepts_valid_sources() {
        for (file, source) in [
            ("src/main.rs", "fn main() { chaos_proxy::run(chaos_proxy::cli::Args) }"),
            ("src/lib.rs", "pub mod plan; use crate::proxy::Supervisor;"),
            ("src/dice.rs", "use crate::value::Probability; let x = y.log(2.0); // log::info!, crate::proxy, unsafe"),
            ("src/plan/mod.rs", "use std::net::{IpAddr, SocketAddr}; pub(super) use self::bind::Bind;"),
            (
                "src/stop.rs",
                "let url = \"http://x\";\n#[cfg(test)]\nmod tests {\n use crate::proxy; thread::spawn(f);\n}",
            ),
            ("src/stop.rs", "use std::thread; thread::sleep(Duration::ZERO);"),
            ("src/threads.rs", "use std::thread::{Builder, JoinHandle};"),
            ("src/proxy/mod.rs", "mod forward; pub use supervisor::Supervisor; use crate::threads;"),
            ("src/proxy/forward/mod.rs", "use super::{state::ConnectionState, socket}; use crate::stop;"),
            ("src/test_server/resource.rs", "use super::pattern::Pattern; use crate::http;"),
        ] {
            assert_eq!(violations(file, &format!("//! A file.\n{source}\n")), [""; 0], "{source}");
        }
    }

    #[test]
    fn finds_dependencies_without_a_reason() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\n# Why.\na = \"1\"\nb.version = \"1\"\n\
                        [dev-dependencies]\nc = \"1\"\n[lints.rust]\nd = \"warn\"";
        let found = unexplained_dependencies(manifest);
        let places: Vec<&str> = found.iter().map(|it| it.split(" needs").next().unwrap()).collect();
        assert_eq!(places, ["Cargo.toml:7: `b`", "Cargo.toml:9: `c`"]);
    }
}
