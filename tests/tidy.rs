//! Holds the shape of the project: which module may name which, where threads come from, what lies at the top level.
//! It reads the sources as text, so that a breach is told by file and line before a reviewer has to see it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Imports go down only: a module may name those of lower layers, as `crate::…` or `super::…`, and none of its own layer or
/// above. `main.rs` and `lib.rs` are above all of them.
const LAYERS: &[&[&str]] = &[
    &["run"],
    &["cli"],
    &["test_server"],
    &["config", "http", "proxy"],
    &["event"],
    &["toxic"],
    &["dice"],
    &["plan"],
    &["logging", "signals"],
    &["limits", "memory", "stop", "threads"],
];

/// The same for the modules inside `proxy`.
const PROXY_LAYERS: &[&[&str]] = &[
    &["supervisor"],
    &["listener"],
    &["connection"],
    &["forward"],
    &["shared"],
    &["registry"],
    &["state"],
    &["live_route"],
    &["admission", "budget", "socket"],
];

/// Modules that get time, randomness and bytes handed in, so that their tests need neither a socket nor a sleep.
const PURE: &[&str] = &["dice", "plan", "toxic"];
const IMPURE: &[&str] = &["TcpStream", "TcpListener", "std::thread", "Instant::now", "log"];

/// `threads.rs` gives every thread a name and a stack size, and hands back the error where these would panic.
const BUILDS_THREADS: &[&str] = &["thread::Builder", "thread::spawn", "thread::scope"];

/// A file that is read in one sitting; the largest file is about eight screens.
const LONGEST_FILE: usize = 400;

/// Names for things that found no place, which then collect more of them.
const VAGUE_NAMES: &[&str] = &["util", "utils", "common", "helpers"];

const TOP_LEVEL: &[&str] = &["Cargo.toml", "Cargo.lock", "src", "tests", "configs", "README.md", "Makefile", "LICENSE"];

/// The crates of the design card: their reason is there.
const DESIGN_CARD: &[&str] =
    &["serde", "serde_json", "pico-args", "log", "env_logger", "fastrand", "ctrlc", "crossbeam-channel"];

#[test]
fn the_sources_keep_to_the_layers() {
    let files = rust_files("src").into_iter().chain(rust_files("tests"));
    assert_none(&files.flat_map(|file| breaches(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn the_top_level_holds_what_the_design_card_names() {
    let known = |name: &str| name.starts_with('.') || TOP_LEVEL.contains(&name);
    let stray: BTreeSet<String> = top_level().into_iter().filter(|name| !known(name)).collect();
    assert!(stray.is_empty(), "{stray:?}: the top level holds {TOP_LEVEL:?} and dot files");
}

#[test]
fn each_further_dependency_has_its_reason() {
    assert_none(&unexplained_dependencies(&read("Cargo.toml")));
}

#[track_caller]
fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// Every rule that `source`, the text of `file`, breaks.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let mut found = breaches_of_shape(file, source);
    if let Some(module) = module(file) {
        found.extend(missing_layer(&module).map(|rule| format!("{file}:1: {rule}")));
        for (line, path) in paths(&code(source)) {
            found.extend(breach_of_path(&module, &path).map(|rule| format!("{file}:{line}: {rule}")));
        }
    }
    found
}

fn breaches_of_shape(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push(format!("{file}:1: begin with `//!`: what lives here and what does not"));
    }
    if file.starts_with("src/") && source.lines().count() > LONGEST_FILE {
        found.push(format!("{file}:{}: over {LONGEST_FILE} lines: make two files of it", LONGEST_FILE + 1));
    }
    if let Some(name) = file.split(['/', '.']).find(|part| VAGUE_NAMES.contains(part)) {
        found.push(format!("{file}:1: `{name}` says nothing of what is in it"));
    }
    found
}

/// A module that is in no layer would be held to nothing.
fn missing_layer(module: &[&str]) -> Option<String> {
    let (layers, name) = match module {
        ["proxy", inner, ..] => ("PROXY_LAYERS", (layer(PROXY_LAYERS, inner).is_none()).then_some(inner)),
        [outer, ..] => ("LAYERS", (layer(LAYERS, outer).is_none()).then_some(outer)),
        [] => return None,
    };
    name.map(|name| format!("`{name}` is in no layer yet: add it to {layers} in tests/tidy.rs"))
}

fn breach_of_path(module: &[&str], path: &[&str]) -> Option<String> {
    let top = module.first().copied().unwrap_or_default();
    if path.contains(&"unsafe") {
        return Some("no unsafe code".to_owned());
    }
    if top != "threads" && holds_any(path, BUILDS_THREADS) {
        return Some("only threads.rs builds threads: use crate::threads::spawn".to_owned());
    }
    if PURE.contains(&top) && holds_any(path, IMPURE) {
        return Some(format!("`{top}` does no I/O, sleeps not, logs not and reads no clock: `{}`", path.join("::")));
    }
    breach_of_layers(module, &absolute(module, path)?)
}

/// Where the way from the root to `from` and the way to `to` part, the one must lie in a higher layer than the other.
fn breach_of_layers(from: &[&str], to: &[&str]) -> Option<String> {
    let (layers, from, to) = match (from, to) {
        (["proxy", from, ..], ["proxy", to, ..]) => (PROXY_LAYERS, from, to),
        ([from, ..], [to, ..]) => (LAYERS, from, to),
        _ => return None,
    };
    let is_below = layer(layers, from)? < layer(layers, to).unwrap_or_default();
    let stays_pure = !PURE.contains(from) || PURE.contains(to);
    (from != to && !(is_below && stays_pure))
        .then(|| format!("`{from}` may not name `{to}`: imports go down only, see tests/tidy.rs"))
}

/// How far down a module is.
fn layer(layers: &[&[&str]], module: &str) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

/// Whether one of `wanted` stands in `path`. A word alone is no path: it may be any variable or method.
fn holds_any(path: &[&str], wanted: &[&str]) -> bool {
    let text = format!("::{}::", path.join("::"));
    path.len() > 1 && wanted.iter().any(|wanted| text.contains(&format!("::{wanted}::")))
}

/// `src/proxy/listener.rs` is `proxy::listener`, `src/proxy/mod.rs` is `proxy`, the roots have no name; tests are no modules.
fn module(file: &str) -> Option<Vec<&str>> {
    let name = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    Some(name.split('/').filter(|part| !["main", "lib", "mod"].contains(part)).collect())
}

/// A path of this crate as it would be written at its root.
fn absolute<'a>(module: &[&'a str], path: &[&'a str]) -> Option<Vec<&'a str>> {
    let ups = path.iter().take_while(|part| **part == "super").count();
    match path.first()? {
        &"crate" | &"chaos_proxy" => Some(path[1..].to_vec()),
        &"self" => Some([module, &path[1..]].concat()),
        &"super" => Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat()),
        _ => None,
    }
}

/// The source without comments and without its unit tests; lines keep their numbers.
fn code(source: &str) -> String {
    let tested = source.split("\n#[cfg(test)]\nmod ").next().unwrap();
    tested.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect()
}

/// Every path in `code` and the line that it ends on, groups multiplied out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    // What each open brace stands behind; the path so far; whether it goes on.
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

/// Words, `::`, and every other character for itself, each with its line.
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
            found.push(format!("Cargo.toml:{number}: `{name}` needs a comment above it: what earns its place"));
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

/// Every Rust file below `folder`, as a path from the top level.
fn rust_files(folder: &str) -> Vec<String> {
    let paths = names_in(folder).into_iter().map(|name| format!("{folder}/{name}"));
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| at(path).is_dir());
    let files = files.into_iter().filter(|path| at(path).extension().is_some_and(|it| it == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

/// What is checked in; in an unpacked archive, what is there but for the build.
fn top_level() -> Vec<String> {
    let git = Command::new("git").arg("ls-files").current_dir(at("")).output();
    let listed = git.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    if listed.is_empty() {
        return names_in("").into_iter().filter(|name| name != "target").collect();
    }
    listed.lines().map(|path| path.split('/').next().unwrap().to_owned()).collect()
}

/// The checker itself: each rule finds its breach in a made-up source, and nothing in one that keeps to them.
mod checker {
    use super::*;

    #[track_caller]
    fn assert_breach(file: &str, source: &str, expected: &str) {
        let found = breaches(file, &format!("//! A file.\n{source}\n"));
        assert!(matches!(found.as_slice(), [one] if one.contains(expected)), "{source}\n{found:#?}");
    }

    #[test]
    fn imports_that_go_up_are_found() {
        let up = "src/config/check.rs:2: `config` may not name `proxy`";
        assert_breach("src/config/check.rs", "use crate::proxy::Supervisor;", up);
        assert_breach("src/config/check.rs", "fn f() -> super::super::proxy::Supervisor {}", up);
        assert_breach("src/config/check.rs", "use crate::{plan::{self, Port}, proxy};", up);
        assert_breach(
            "src/plan/mod.rs",
            "\nuse crate::{\n    stop,\n};",
            "src/plan/mod.rs:4: `plan` may not name `stop`",
        );
        assert_breach("src/threads.rs", "use super::stop::Stop;", "`threads` may not name `stop`");
        assert_breach("src/event.rs", "use crate::Exit;", "`event` may not name `Exit`");
        assert_breach("src/proxy/forward/side.rs", "use crate::proxy::listener;", "`forward` may not name `listener`");
        assert_breach("src/proxy/state.rs", "use crate::proxy::Route;", "`state` may not name `Route`");
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_breach("src/attic.rs", "", "src/attic.rs:1: `attic` is in no layer yet");
        assert_breach("src/proxy/attic.rs", "", "`attic` is in no layer yet");
    }

    #[test]
    fn impure_arithmetic_is_found() {
        for impure in
            ["use std::net::TcpStream;", "use std::{thread, fmt};", "let now = Instant::now();", "log::info!();"]
        {
            assert_breach("src/dice.rs", impure, "src/dice.rs:2: `dice` does no I/O");
        }
    }

    #[test]
    fn threads_that_are_built_elsewhere_are_found() {
        for built in ["thread::spawn(work);", "use std::thread::{self, Builder};", "std::thread::scope(|_| ());"] {
            assert_breach("src/stop.rs", built, "src/stop.rs:2: only threads.rs builds threads");
        }
    }

    #[test]
    fn bad_shapes_are_found() {
        assert_breach("src/stop.rs", "unsafe { f() }", "src/stop.rs:2: no unsafe code");
        assert_breach("src/stop.rs", &"\n".repeat(LONGEST_FILE), "src/stop.rs:401: over 400 lines");
        assert_breach("tests/common/mod.rs", "", "`common` says nothing");
        assert_eq!(
            breaches("tests/a.rs", "use b;"),
            ["tests/a.rs:1: begin with `//!`: what lives here and what does not"]
        );
    }

    #[test]
    fn what_keeps_to_the_rules_is_left_alone() {
        for (file, source) in [
            ("src/main.rs", "fn main() { chaos_proxy::run(chaos_proxy::cli::Args) }"),
            ("src/lib.rs", "pub mod plan; use crate::proxy::Supervisor;"),
            ("src/dice.rs", "use crate::plan::Probability; let x = y.log(2.0); // log::info!, crate::proxy, unsafe"),
            ("src/plan/mod.rs", "use std::net::{IpAddr, SocketAddr}; pub(super) use self::value::Port;"),
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
            assert_eq!(breaches(file, &format!("//! A file.\n{source}\n")), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\n# Why.\na = \"1\"\nb.version = \"1\"\n\
                        [dev-dependencies]\nc = \"1\"\n[lints.rust]\nd = \"warn\"";
        let found = unexplained_dependencies(manifest);
        let places: Vec<&str> = found.iter().map(|it| it.split(" needs").next().unwrap()).collect();
        assert_eq!(places, ["Cargo.toml:7: `b`", "Cargo.toml:9: `c`"]);
    }
}
