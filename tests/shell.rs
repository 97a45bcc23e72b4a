//! What the binary prints for shells: completions, driven by a real bash and checked for syntax by zsh and fish, and
//! the manual page, checked by groff.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn chaos_proxy(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program with this text as stdin. `None` if it is not installed, which is printed.
#[expect(clippy::print_stdout, reason = "why a test was skipped")]
fn run(program: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: {} is not installed", program[0]);
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// An empty directory with these files.
fn directory(name: &str, files: &[&str]) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    for file in files {
        fs::write(directory.join(file), "").unwrap();
    }
    directory
}

/// Where bash completes. Made once, because tests run at the same time.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| directory("completions", &["faults.yaml", "other.json"]));

/// The words that bash offers after `line`, as readline would call the function.
fn completed(line: &str) -> Vec<String> {
    const DRIVER: &str = "\
        COMP_LINE=$1 COMP_POINT=${#1}\n\
        function=$(complete -p chaos-proxy) && function=${function#* -F } && ${function%% *}\n\
        ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let script = chaos_proxy(&["--completions", "bash"]) + DRIVER;
    let mut bash = Command::new("bash");
    let output = bash.args(["--norc", "-c", &script, "bash", line]).current_dir(&*DIRECTORY).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_flags_values_toxics_and_commands() {
    for (line, expected) in [
        ("chaos-proxy --conn", &["--connections"][..]),
        ("chaos-proxy --log ", &["error", "faults", "warn", "info", "debug"]),
        ("chaos-proxy --log=fa", &["faults"]),
        ("chaos-proxy --log-format ", &["auto", "text", "logfmt", "json"]),
        ("chaos-proxy --report-format ju", &["junit"]),
        ("chaos-proxy --profile lossy", &["lossy-wifi"]),
        ("chaos-proxy --completions z", &["zsh"]),
        ("chaos-proxy -c fau", &["faults.yaml"]),
        ("chaos-proxy fau", &["faults.yaml"]),
        ("chaos-proxy --seed ", &[]),
        ("chaos-proxy --toxic lat", &["latency"]),
        ("chaos-proxy --toxic latency:lat", &["latency="]),
        ("chaos-proxy --toxic slicer:average_size=5,size", &["5,size_variation="]),
        ("chaos-proxy --toxic=limit_data:bytes=5,res", &["5,reset=true", "5,reset=false"]),
        ("chaos-proxy --toxic unknown:", &[]),
        ("chaos-proxy --quiet --check --agai", &["--against"]),
        ("chaos-proxy ct", &["ctl"]),
        ("chaos-proxy expl", &["explore"]),
        ("chaos-proxy explore faults.yaml --fau", &["--fault"]),
        ("chaos-proxy shrink fau", &["faults.yaml"]),
        ("chaos-proxy shrink faults.yaml --rep", &["--repeat"]),
        ("chaos-proxy report fau", &["faults.yaml"]),
        ("chaos-proxy report --format ", &["html", "markdown"]),
        ("chaos-proxy ctl rel", &["reload"]),
        ("chaos-proxy ctl toxic ", &["add", "update", "remove"]),
        ("chaos-proxy ctl toxic add web stal", &["stall"]),
        ("chaos-proxy ctl toxic add web stall:dur", &["duration="]),
        ("chaos-proxy ctl kill web --res", &["--reset"]),
        ("chaos-proxy -c faults.yaml -- compge", &["compgen"]),
        ("chaos-proxy -c faults.yaml -- cat --log fau", &["faults.yaml"]),
        ("chaos-proxy -c faults.yaml -- cat --lo", &[]),
    ] {
        assert_eq!(completed(line), expected, "{line}");
    }
}

/// Completing must not run what stands on the line.
#[test]
fn bash_expands_nothing_that_was_typed() {
    for line in
        ["chaos-proxy --toxic latency:$(touch ran),dist", "chaos-proxy --log $(touch ran)", "chaos-proxy `touch ran`"]
    {
        completed(line);
        assert!(!PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("completions/ran").exists(), "{line}");
    }
}

#[test]
fn fish_completes_flags_values_and_commands() {
    for (line, expected) in [
        ("chaos-proxy --conn", "--connections"),
        ("chaos-proxy --log fau", "faults"),
        ("chaos-proxy --log-format=jso", "--log-format=json"),
        ("chaos-proxy --toxic latency:jit", "latency:jitter="),
        ("chaos-proxy ct", "ctl"),
        ("chaos-proxy shr", "shrink"),
        ("chaos-proxy explore --fau", "--fault"),
        ("chaos-proxy ctl toxic upd", "update"),
        ("chaos-proxy -c faults.yaml -- prin", "printf"),
    ] {
        let script = chaos_proxy(&["--completions", "fish"]) + &format!("complete -C '{line}'\n");
        let Some(output) = run(&["fish", "--no-config", "-c", &script], "") else { return };
        // A description follows after a tab.
        let offered = String::from_utf8(output.stdout).unwrap();
        assert!(offered.lines().any(|offer| offer.split('\t').next() == Some(expected)), "{line}: {offered}");
    }
}

#[test]
fn every_flag_is_completed_in_every_shell() {
    let commands = ["ctl", "explore", "shrink", "report"].map(|command| chaos_proxy(&[command, "--help"]));
    let help = chaos_proxy(&["--help", "--verbose"]) + &commands.concat();
    // The lines about a flag begin with it, and with its short name in front.
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    for flag in lines.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--"))) {
        for (shell, word) in
            [("bash", flag.to_owned()), ("zsh", flag.to_owned()), ("fish", format!("-l {} ", &flag[2..]))]
        {
            assert!(chaos_proxy(&["--completions", shell]).contains(&word), "{shell}: {flag}");
        }
    }
}

#[test]
fn each_shell_parses_its_script() {
    for (shell, program) in [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])] {
        let Some(output) = run(&program, &chaos_proxy(&["--completions", shell])) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

#[test]
fn the_manual_page_has_no_warnings() {
    let page = chaos_proxy(&["--man"]);
    // mandoc would warn of the missing date, which would differ between builds.
    for program in [&["groff", "-man", "-ww", "-Tutf8"][..], &["mandoc", "-Tlint", "-Werror"]] {
        let Some(output) = run(program, &page) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

/// `make install` with a `cargo` that copies the binary under test, because a build would take minutes.
#[test]
fn make_installs_the_manual_page_and_the_completions() {
    let directory = directory("install", &[]);
    // The last argument is the root.
    let script = "for root; do :; done; mkdir -p \"$root/bin\" && cp \"$BINARY\" \"$root/bin\"";
    fs::write(directory.join("cargo"), script).unwrap();
    let binary = format!("BINARY={}", env!("CARGO_BIN_EXE_chaos-proxy"));
    let cargo = format!("CARGO=sh {}/cargo", directory.display());
    let destination = format!("DESTDIR={}", directory.display());
    let Some(output) = run(&["env", &binary, "make", "install", &destination, "PREFIX=/usr", &cargo], "") else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    for (file, args) in [
        ("share/man/man1/chaos-proxy.1", &["--man"][..]),
        ("share/bash-completion/completions/chaos-proxy", &["--completions", "bash"]),
        ("share/zsh/site-functions/_chaos-proxy", &["--completions", "zsh"]),
        ("share/fish/vendor_completions.d/chaos-proxy.fish", &["--completions", "fish"]),
    ] {
        let installed = fs::read_to_string(directory.join("usr").join(file)).unwrap();
        assert!(installed == chaos_proxy(args), "{file}");
    }
}
