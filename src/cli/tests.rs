//! The command line as a whole: what arguments become, and the message for each mistake.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::*;
use crate::config::{EmptyList, HostNames};
use crate::logging::LogLevel;
use crate::plan::Plan;

pub(super) fn parsed(line: &str) -> Parsed<Command> {
    with_token(line, "")
}

fn with_token(line: &str, token: &str) -> Parsed<Command> {
    let variable = |name: &str| (name == "CHAOS_PROXY_ADMIN_TOKEN").then(|| OsString::from(token));
    parse(line.split_whitespace().map(OsString::from), variable)
}

pub(super) fn options(line: &str) -> Options {
    match parsed(line) {
        Ok(Command::Run(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

pub(super) fn error(line: &str) -> String {
    match parsed(line) {
        Err(UsageError::Flag(what) | UsageError::Of(_, what)) => what,
        other => panic!("{line}: {other:?}"),
    }
}

fn config_path(line: &str) -> PathBuf {
    match options(line).routes {
        RouteSource::File { path, .. } => path,
        RouteSource::Flags(resolved) => panic!("{line}: {resolved:?}"),
    }
}

#[test]
fn accepts_one_dash_two_dashes_and_equals() {
    for line in ["--config a.json", "-config a.json", "--config=a.json", "-config=a.json", "-c a.json", "-c=a.json"] {
        assert_eq!(config_path(line), PathBuf::from("a.json"), "{line}");
    }
}

#[test]
fn flags_define_a_route() {
    let options = options("-listen 8180 --upstream 127.0.0.1:5432 --latency-ms 50 --drop-rate 0.1 --bind ::1");
    let RouteSource::Flags(resolved) = options.routes else { panic!("a file") };
    let route = &resolved.value.routes()[0];
    assert_eq!(route.listen().to_string(), "[::1]:8180");
    assert_eq!(route.upstream.to_string(), "127.0.0.1:5432");
    assert_eq!((route.latency.get(), route.drop_rate.get()), (50, 0.1));
}

#[test]
fn an_operand_is_the_config_file() {
    for (line, path) in [("a.json", "a.json"), ("-v a.json -q", "a.json"), ("-", "-"), ("-c=-odd", "-odd")] {
        assert_eq!(config_path(line), PathBuf::from(path), "{line}");
    }
    assert!(matches!(parsed("help"), Ok(Command::Help)));
    assert!(matches!(parsed("-V -v"), Ok(Command::BuildDetails)));
}

#[test]
fn the_address_to_listen_on_may_stand_before_the_port() {
    for (listen, address) in
        [("127.0.0.2:8180", "127.0.0.2:8180"), ("[::1]:8180 --bind ::1", "[::1]:8180"), ("8180", "127.0.0.1:8180")]
    {
        let options = options(&format!("--listen {listen} --upstream 127.0.0.1:1"));
        let RouteSource::Flags(resolved) = options.routes else { panic!("a file") };
        assert_eq!(resolved.value.routes()[0].listen().to_string(), address);
    }
}

fn toxics(flags: &str) -> Result<Plan, UsageError> {
    match parsed(&format!("--listen 1 --upstream 127.0.0.1:2 {flags}"))? {
        Command::Run(options) => match options.routes {
            RouteSource::Flags(resolved) => Ok(resolved.value),
            RouteSource::File { path, .. } => panic!("{path:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_define_toxics() {
    let plan = toxics(
        "--toxic latency:latency=100,jitter=20,distribution=normal --profile dsl --toxic noop \
         --toxic=limit_data:bytes=5,reset=true,stream=both,connections=1-2,5,clients=10.0.0.0/8,::1,toxicity=0.5,for=9",
    );
    let written = serde_json::to_value(&plan.expect("valid").routes()[0].toxics).expect("JSON");
    assert_eq!(written[0]["name"], "dsl_bandwidth_upstream");
    let attributes = serde_json::json!({ "latency": 100, "jitter": 20, "correlation": 0.0, "distribution": "normal" });
    assert_eq!((&written[3]["type"], &written[3]["attributes"]), (&"latency".into(), &attributes));
    assert_eq!(written[4]["name"], "noop_downstream");
    let limit = serde_json::json!({
        "type": "limit_data", "name": "limit_data_both", "stream": "both", "toxicity": 0.5,
        "attributes": { "bytes": 5, "reset": true }, "connections": "1-2,5", "clients": ["10.0.0.0/8", "::1/128"], "for": 9,
    });
    assert_eq!(written[5], limit);
}

/// The first problem of each.
#[test]
fn errors_of_toxics_are_those_of_a_config() {
    for (flags, expected) in [
        ("--toxic latncy", "1:9: error: `latncy` is none of the types of toxics"),
        ("--toxic latency", "1:9: error: this latency toxic has no `latency`"),
        ("--toxic latency=5", "1:9: error: the type of the toxic is missing"),
        ("--toxic latency:100", "1:17: error: `100` has no value"),
        ("--toxic latency:latency=1s", "1:25: error: expected a whole number, found text"),
        ("--toxic latency:latency=-1", "1:25: error: -1 ms is negative"),
        ("--toxic latency:latency=1,jiter=5", "1:27: error: a latency toxic has no attribute `jiter`"),
        ("--toxic noop:connections=0", "1:26: error: `0` names no connections"),
        ("--toxic noop --toxic noop", "2:9: error: two toxics of this route are called `noop_downstream`"),
        ("--profile 3G", "1:11: error: `3G` is none of the profiles"),
        (
            "--profile dsl --toxic noop:name=dsl_latency",
            "2:19: error: two toxics of this route are called `dsl_latency`",
        ),
    ] {
        let Err(UsageError::Toxics(report)) = toxics(flags) else { panic!("{flags}") };
        let (printed, expected) = (report.to_string(), format!("command line:{expected}\n"));
        assert!(printed.starts_with(&expected), "{flags}\n{printed}");
    }
}

#[test]
fn quiet_overrides_verbose_with_a_warning() {
    let options = options("--verbose --quiet --config a");
    assert_eq!(options.settings.log_level, Some(LogLevel::Error));
    assert_eq!(options.warnings, ["--quiet wins over --verbose"]);
}

#[test]
fn the_memory_for_held_data_is_in_mebibytes() {
    let max_buffered = |line| options(line).settings.max_buffered.map(NonZeroUsize::get);
    assert_eq!(max_buffered("--config a --max-buffered 3"), Some(3 << 20));
    assert_eq!(max_buffered("--config a"), None);
}

fn admin(line: &str) -> Option<AdminOptions> {
    options(line).settings.admin.options(&Plan::default())
}

#[test]
fn the_address_of_the_admin_server_may_be_left_out() {
    for (line, addr, config) in [
        ("--admin a.json", "127.0.0.1:8474", "a.json"),
        ("a.json --admin", "127.0.0.1:8474", "a.json"),
        ("--admin 9000 a.json", "127.0.0.1:9000", "a.json"),
        ("-admin 0.0.0.0:9000 a.json", "0.0.0.0:9000", "a.json"),
        ("--admin=[::1]:9000 a.json", "[::1]:9000", "a.json"),
        ("--admin :9000 a.json", "[::]:9000", "a.json"),
        ("--admin localhost:9000 a.json", "127.0.0.1:9000", "a.json"),
        ("-host=0.0.0.0 -config=a.json", "0.0.0.0:8474", "a.json"),
        ("-host localhost -port 9000 -config a.json -seed 5", "127.0.0.1:9000", "a.json"),
        ("-port=9000 -proxy-metrics -runtime-metrics=true -c a.json", "127.0.0.1:9000", "a.json"),
    ] {
        assert_eq!(admin(line).map(|admin| admin.addr.to_string()).as_deref(), Some(addr), "{line}");
        assert_eq!(config_path(line), PathBuf::from(config), "{line}");
    }
    assert_eq!(admin("a.json -proxy-metrics"), None);
}

#[test]
fn an_admin_server_needs_no_routes() {
    let options = options("--admin");
    let RouteSource::Flags(resolved) = options.routes else { panic!("a file") };
    assert!(resolved.value.routes().is_empty());
    assert_eq!(options.settings.defaults.empty_list, EmptyList::Allowed);
    assert!(matches!(parsed("--admin --check"), Ok(Command::Check(RouteSource::Flags(_)))));
}

/// As toxiproxy-server does.
#[test]
fn files_may_name_localhost_beside_an_admin_server() {
    for (line, expected) in [
        ("-port=8474 -config=a.json", HostNames::Localhost),
        ("--admin a.json", HostNames::Localhost),
        ("--admin --resolve a.json", HostNames::Resolved),
    ] {
        let RouteSource::File { defaults, .. } = options(line).routes else { panic!("no file") };
        assert_eq!(defaults.host_names, expected, "{line}");
    }
}

#[test]
fn the_admin_flag_overrides_the_file() {
    let plan = Plan::default().with_admin("127.0.0.1:1".parse().ok());
    let addr = |line| options(line).settings.admin.options(&plan).map(|admin| admin.addr.port());
    assert_eq!((addr("a.json"), addr("a.json --admin 2")), (Some(1), Some(2)));
}

#[test]
fn the_admin_server_has_a_token_and_host_names() {
    let admin =
        admin("--admin --admin-token s3cret --admin-host Toxiproxy --admin-host db.example").expect("an address");
    assert_eq!(
        (admin.token.as_deref(), &admin.hosts[..]),
        (Some("s3cret"), &["toxiproxy", "db.example"].map(str::to_owned)[..])
    );
    let token = |line, variable| match with_token(line, variable) {
        Ok(Command::Run(options)) => options.settings.admin.options(&Plan::default()).and_then(|admin| admin.token),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(token("--admin", "").as_deref(), None);
    assert_eq!(token("--admin", "of-the-environment").as_deref(), Some("of-the-environment"));
    assert_eq!(token("--admin --admin-token x", "of-the-environment").as_deref(), Some("x"));
    assert!(with_token("--admin", "a b").is_err() && with_token("--admin", "\u{e4}").is_err());
}

/// A file may name the address, so this is known only when it is read.
#[test]
fn a_token_without_an_admin_server_is_a_warning() {
    let warning = |line| options(line).settings.admin.warning(&Plan::default());
    let expected = "--admin-token has no effect: add --admin, or `admin` to the config";
    assert_eq!(warning("a.json --admin-token x --admin-host y").as_deref(), Some(expected));
    assert_eq!((warning("a.json"), warning("--admin --admin-token x")), (None, None));
}

#[test]
fn resolve_and_watch_are_off_by_default() {
    let [plain, with] = ["a.json", "--resolve --watch a.json"].map(options);
    assert_eq!((plain.watch, with.watch), (Watch::Off, Watch::File));
    assert_eq!(plain.settings.defaults.host_names, HostNames::Rejected);
    assert_eq!(with.settings.defaults.host_names, HostNames::Resolved);
    let RouteSource::File { defaults, .. } = with.routes else { panic!("flags") };
    assert_eq!(defaults, with.settings.defaults);
}

#[test]
fn check_compares_with_an_older_config() {
    let Ok(Command::Compare { old, new }) = parsed("--check new.json --against old.json") else {
        panic!("no comparison")
    };
    let path = |routes| match routes {
        RouteSource::File { path, .. } => path,
        RouteSource::Flags(resolved) => panic!("{resolved:?}"),
    };
    assert_eq!([old, new].map(path), ["old.json", "new.json"].map(PathBuf::from));
}

#[test]
fn errors_suggest_a_fix() {
    for (line, expected) in [
        ("", "no routes: give a config FILE, --listen PORT --upstream IP:PORT, or --admin"),
        ("--confg a.json", "unknown flag --confg; did you mean --config?"),
        ("-test-sever --config a", "unknown flag --test-sever; did you mean --test-server?"),
        ("--frobnicate", "unknown flag --frobnicate"),
        ("--config", "--config needs a value"),
        ("--config --verbose", "--config needs a value, but --verbose follows it"),
        ("--config -quiet", "--config needs a value, but --quiet follows it"),
        ("--config a --config b", "--config is given twice"),
        ("--config a --verbose -verbose", "--verbose is given twice"),
        ("--config a --verbose=yes", "--verbose takes no value"),
        ("-v -verbose a", "--verbose is given twice"),
        ("a.json b.json", "unexpected argument `b.json`: give one config file"),
        ("--config a b", "unexpected argument `b`: give one config file"),
        ("--confg a.json", "unknown flag --confg; did you mean --config?"),
        ("--CONFIG a.json", "unknown flag --CONFIG; did you mean --config?"),
        ("--drain 5 a.json", "unknown flag --drain; did you mean --drain-timeout?"),
        ("-x a.json", "unknown flag -x"),
        (
            "--config a --listen 1 --upstream 127.0.0.1:2",
            "--config and --listen exclude each other: define every route in the file",
        ),
        ("--config a --drop-rate 0", "--config and --drop-rate exclude each other: define every route in the file"),
        ("--listen 1", "--listen needs --upstream IP:PORT"),
        ("--upstream 127.0.0.1:1", "--upstream needs --listen PORT"),
        ("--latency-ms 5", "--latency-ms needs --listen PORT"),
        ("--listen 0 --upstream 127.0.0.1:1", "--listen 0: port 0 is out of range; use 1 to 65535"),
        ("--listen :80 --upstream 127.0.0.1:1", "--listen :80: write 80, or 0.0.0.0:80 for every address"),
        ("--listen localhost:80 --upstream 127.0.0.1:1", "--listen localhost:80: write 127.0.0.1:80"),
        (
            "--listen web --upstream 127.0.0.1:1",
            "--listen web: use a port number, 1 to 65535, or IP:PORT; auto for a port that is free",
        ),
        (
            "--listen 127.0.0.2:80 --bind ::1 --upstream 127.0.0.1:1",
            "--listen 127.0.0.2:80 and --bind ::1 name different addresses",
        ),
        (
            "--listen 1 --upstream ::1:80",
            "--upstream ::1:80: `::1:80` lacks the brackets of an IPv6 address; write [::1]:80, or [::1:80]:9090 if 80 is \
             a part of the address",
        ),
        ("--listen 1 --upstream 5432", "--upstream 5432: `5432` has no IP address; write 127.0.0.1:5432"),
        (
            "--listen 1 --upstream $HOST:5432",
            "--upstream $HOST:5432: `$HOST` is the name of a variable; write the value: variables are not replaced here, \
             but `envsubst < FILE | chaos-proxy --config -` does it",
        ),
        ("--profile 3g", "--profile needs --listen PORT"),
        ("--toxic noop", "--toxic needs --listen PORT"),
        ("a.json --toxic noop", "--config and --toxic exclude each other: define every route in the file"),
        ("a --log loud", "--log loud: use error, faults, warn, info or debug"),
        ("a --log info -q", "--log and --quiet exclude each other: --quiet is --log error"),
        ("--listen 1 --upstream localhost:5", "--upstream localhost:5: `localhost` is a host name; use 127.0.0.1:5"),
        (
            "--listen 1 --upstream 127.0.0.1:2 --drop-rate 1.5",
            "--drop-rate 1.5: 1.5 is not a probability; use 0.0 (never) to 1.0 (always); 1.5 % is 0.015",
        ),
        (
            "--listen 1 --upstream 127.0.0.1:2 --latency-ms -5",
            "--latency-ms -5: -5 ms is negative; use whole milliseconds, 0 to 4294967295",
        ),
        ("--listen 5 --upstream 127.0.0.1:5", "--upstream 127.0.0.1:5 is the listener itself: connections would loop"),
        ("--config a --seed -1", "--seed -1: use a whole number, 0 to 18446744073709551615"),
        ("--config a --max-connections 0", "--max-connections 0: use a whole number, 1 or more"),
        ("--config a --max-buffered 0", "--max-buffered 0: use whole MiB, 1 or more"),
        ("--config a --max-buffered 1.5", "--max-buffered 1.5: use whole MiB, 1 or more"),
        (
            "--config a --max-buffered 18446744073709551615",
            "--max-buffered 18446744073709551615: more than any machine has; use whole MiB, such as 256",
        ),
        ("--config a --drain-timeout soon", "--drain-timeout soon: use seconds, such as 30 or 2.5"),
        ("--config a --drain-timeout 10s", "--drain-timeout 10s: write 10, in seconds"),
        ("--config a --max-buffered 128MiB", "--max-buffered 128MiB: write 128, in MiB"),
        ("--listen 1 --upstream 127.0.0.1:2 --latency-ms 1s", "--latency-ms 1s: write 1000, in ms"),
        ("--listen 1 --upstream 127.0.0.1:2 --drop-rate 5%", "--drop-rate 5%: write 0.05"),
        ("--config a --drain-timeout inf", "--drain-timeout inf: use seconds, 0 or more"),
        ("--config a --log-format xml", "--log-format xml: use auto, text, logfmt or json"),
        (
            "--listen 1 --upstream db:5",
            "--upstream db:5: `db` is a host name; upstreams are IP addresses, so that DNS is never a hidden fault: \
             `getent hosts db` prints its IP, and with --resolve it is looked up once",
        ),
        ("--config a --bind localhost", "--bind localhost: `localhost` is not an IP address; use 127.0.0.1"),
    ] {
        assert_eq!(error(line), expected, "{line}");
    }
}

#[test]
fn errors_about_changes_of_a_run_suggest_a_fix() {
    for (line, expected) in [
        ("--admin 0", "--admin 0: port 0 is out of range; use 1 to 65535"),
        ("--admin --admin a", "--admin is given twice"),
        ("--admin=web", "--admin web: `web` is not IP:PORT; write IP:PORT or [IPv6]:PORT, such as 127.0.0.1:8474"),
        (
            "--admin web:8474",
            "--admin web:8474: `web` is not an IP address; use 127.0.0.1 for this machine alone, 0.0.0.0 for every address",
        ),
        ("--admin -port 5", "--admin and --port exclude each other: --admin IP:PORT has both"),
        (
            "-host toxiproxy",
            "--host toxiproxy: `toxiproxy` is not an IP address; use 127.0.0.1 for this machine alone, 0.0.0.0 for every \
             address",
        ),
        ("-port 0", "--port 0: port 0 is out of range; use 1 to 65535"),
        ("-port 1 -port 2", "--port is given twice"),
        ("--listen 1 --upstream 127.0.0.1:2 --admin-token x", "--admin-token needs --admin"),
        ("--admin-host x", "--admin-host needs --admin"),
        ("--admin --admin-host x:80", "--admin-host x:80: use a host name alone, such as chaos-proxy or db.example"),
        ("--admin --admin-token \u{e4}", "--admin-token: use ASCII characters without spaces"),
        ("--watch", "--watch needs a config FILE"),
        ("--watch -", "--watch needs a config FILE: stdin can't be read again"),
        ("a --watch=yes", "--watch takes no value"),
        ("a --against b", "--against needs --check"),
        ("--check - --against -", "--against and --config can't both read stdin"),
    ] {
        assert_eq!(error(line), expected, "{line}");
    }
}
