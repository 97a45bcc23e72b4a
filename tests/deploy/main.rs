//! The files for containers: `configs/kubernetes` and `configs/docker`. They parse, their config passes `--check`,
//! their flags exist, and the times of a drain fit each other.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

const MANIFESTS: &str = "configs/kubernetes/sidecar.yaml";
const DOCKERFILE: &str = "configs/docker/Dockerfile";

fn manifests() -> Vec<Value> {
    let text = fs::read_to_string(MANIFESTS).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn manifest(kind: &str) -> Value {
    manifests().into_iter().find(|manifest| manifest["kind"] == kind).unwrap()
}

/// The container of the proxy.
fn sidecar() -> Value {
    manifest("Deployment")["spec"]["template"]["spec"]["initContainers"][0].clone()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The value after `flag`.
fn value(args: &[String], flag: &str) -> String {
    args[args.iter().position(|arg| arg == flag).unwrap() + 1].clone()
}

fn chaos_proxy(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-proxy")).args(args).output().unwrap()
}

#[test]
fn each_manifest_has_a_version_a_kind_and_a_name() {
    for manifest in manifests() {
        for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
            let text = manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            assert!(!text.is_empty(), "{pointer} is missing in {manifest}");
        }
    }
}

#[test]
fn the_config_of_the_config_map_is_valid_and_mounted() {
    let config_map = manifest("ConfigMap");
    let args = texts(&sidecar()["args"]);
    let mounted = &sidecar()["volumeMounts"][0]["mountPath"];
    for (name, text) in config_map["data"].as_object().unwrap() {
        let path = std::env::temp_dir().join(format!("chaos-proxy-deploy-{}-{name}", std::process::id()));
        fs::write(&path, text.as_str().unwrap()).unwrap();
        let output = chaos_proxy(&["--check", "--config", path.to_str().unwrap()]);
        fs::remove_file(&path).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(value(&args, "--config"), format!("{}/{name}", mounted.as_str().unwrap()));
    }
    let volume = &manifest("Deployment")["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["configMap"]["name"], config_map["metadata"]["name"]);
    assert_eq!(volume["name"], sidecar()["volumeMounts"][0]["name"]);
}

#[test]
fn every_flag_is_in_the_help() {
    let help = String::from_utf8(chaos_proxy(&["--help", "--verbose"]).stdout).unwrap();
    // The lines about a flag begin with it.
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let known: Vec<&str> = lines.flat_map(|line| line.split([' ', ','])).filter(|word| word.starts_with('-')).collect();
    let args = [texts(&sidecar()["args"]), dockerfile_list("CMD [")].concat();
    for flag in args.iter().filter(|arg| arg.starts_with('-')) {
        assert!(known.contains(&flag.as_str()), "{flag} is not in the help");
    }
}

#[test]
fn probes_ask_the_admin_server_for_its_health() {
    let (sidecar, args) = (sidecar(), texts(&sidecar()["args"]));
    let port = sidecar["ports"][0]["containerPort"].to_string();
    assert_eq!(value(&args, "--admin"), format!("0.0.0.0:{port}"));
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(sidecar[probe]["httpGet"]["path"], "/v1/health", "{probe}");
        assert_eq!(sidecar[probe]["httpGet"]["port"], sidecar["ports"][0]["name"], "{probe}");
    }
    let annotations = &manifest("Deployment")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.io/port"], *port);
    assert_eq!(annotations["prometheus.io/path"], "/metrics");
}

#[test]
fn the_drain_ends_before_the_kill() {
    let pod = &manifest("Deployment")["spec"]["template"]["spec"];
    let drain: u64 = value(&texts(&sidecar()["args"]), "--drain-timeout").parse().unwrap();
    let wait = sidecar()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(wait + drain < pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    let docker: u64 = value(&dockerfile_list("CMD ["), "--drain-timeout").parse().unwrap();
    assert!(docker < 10, "docker stop kills after 10 s");
}

#[test]
fn the_image_has_only_the_binary_and_no_root() {
    let text = fs::read_to_string(DOCKERFILE).unwrap();
    let (_, image) = text.split_once("\nFROM scratch\n").unwrap();
    let user = image.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert_eq!(image.lines().filter(|line| line.starts_with("COPY")).count(), 1);
    assert_eq!(dockerfile_list("ENTRYPOINT ["), ["/chaos-proxy"]);
    let version = format!("chaos-proxy:{}", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version) && sidecar()["image"].as_str().unwrap().ends_with(&version));
}

/// The words of a line of the Dockerfile that has a list, such as `CMD ["a", "b"]`.
fn dockerfile_list(begin: &str) -> Vec<String> {
    let text = fs::read_to_string(DOCKERFILE).unwrap();
    let line = text.lines().find(|line| line.starts_with(begin)).unwrap();
    texts(&serde_json::from_str(&line[begin.len() - 1..]).unwrap())
}
