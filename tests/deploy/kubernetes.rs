//! The manifests of `configs/kubernetes`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{assert_flags_exist, chaos_proxy, skipped, texts, value};

const FOLDER: &str = "configs/kubernetes";

/// The files with a Deployment that has the proxy as a sidecar.
const SIDECARS: [&str; 2] = ["sidecar.yaml", "intercept.yaml"];

fn files() -> Vec<PathBuf> {
    let files: Vec<PathBuf> = fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 5, "{files:?}");
    files
}

fn manifests(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(PathBuf::from(FOLDER).join(file)).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn manifest(file: &str, kind: &str) -> Value {
    manifests(file).into_iter().find(|manifest| manifest["kind"] == kind).unwrap()
}

/// The container of the proxy.
fn sidecar(file: &str) -> Value {
    manifest(file, "Deployment")["spec"]["template"]["spec"]["initContainers"][0].clone()
}

/// Unknown keys are errors too. The schema of a `PodMonitor` is that of the Prometheus operator, and not among them.
#[test]
fn each_manifest_fits_the_schema_of_kubernetes() {
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = Command::new(&python).args(["-c", "import kubernetes_validate"]).output();
    if !import.is_ok_and(|it| it.status.success()) {
        return skipped(&format!("`{python} -c 'import kubernetes_validate'` fails"));
    }
    for version in ["1.30.0", "1.37.0"] {
        let mut command = Command::new(&python);
        command
            .args(["-c", "from kubernetes_validate.__main__ import main; main()", "--strict", "-k", version])
            .args(files());
        let output = command.output().unwrap();
        let lines = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{lines}");
        let unknown: Vec<&str> = lines.lines().filter(|line| line.starts_with("WARN")).collect();
        assert!(unknown.len() == 1 && unknown[0].contains("kind PodMonitor"), "{unknown:?}");
        assert_eq!(lines.lines().filter(|line| line.contains(" passed ")).count(), 7, "{lines}");
    }
}

#[test]
fn each_manifest_has_a_version_a_kind_and_a_name() {
    for file in files() {
        for manifest in manifests(file.file_name().unwrap().to_str().unwrap()) {
            for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
                let text = manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                assert!(!text.is_empty(), "{pointer} is missing in {manifest}");
            }
        }
    }
}

#[test]
fn the_config_of_each_config_map_is_valid_and_mounted() {
    for (file, pod, container) in [
        ("sidecar.yaml", "Deployment", "initContainers"),
        ("intercept.yaml", "Deployment", "initContainers"),
        ("job.yaml", "Job", "containers"),
    ] {
        let (config_map, pod) = (manifest(file, "ConfigMap"), manifest(file, pod)["spec"]["template"]["spec"].take());
        let (container, args) = (&pod[container][0], texts(&pod[container][0]["args"]));
        assert_flags_exist(&args);
        let mounted = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
        assert_eq!(value(&args, "--config"), format!("{mounted}/routes.yaml"));
        let path = env::temp_dir().join(format!("chaos-proxy-deploy-{}-{file}", std::process::id()));
        fs::write(&path, config_map["data"]["routes.yaml"].as_str().unwrap()).unwrap();
        let output = chaos_proxy(&["--check", "--config", path.to_str().unwrap()]);
        fs::remove_file(&path).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let volume = &pod["volumes"][0];
        assert_eq!(volume["configMap"]["name"], config_map["metadata"]["name"]);
        assert_eq!(volume["name"], container["volumeMounts"][0]["name"]);
    }
}

#[test]
fn probes_ask_the_admin_server_for_its_health() {
    for file in SIDECARS {
        let (sidecar, args) = (sidecar(file), texts(&sidecar(file)["args"]));
        let port = sidecar["ports"][0]["containerPort"].to_string();
        assert_eq!(value(&args, "--admin"), format!("0.0.0.0:{port}"));
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(sidecar[probe]["httpGet"]["path"], "/v1/health", "{probe}");
            assert_eq!(sidecar[probe]["httpGet"]["port"], sidecar["ports"][0]["name"], "{probe}");
        }
        let annotations = &manifest(file, "Deployment")["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/port"], *port);
        assert_eq!(annotations["prometheus.io/path"], "/metrics");
        let version = format!("chaos-proxy:{}", env!("CARGO_PKG_VERSION"));
        assert!(sidecar["image"].as_str().unwrap().ends_with(&version));
    }
}

#[test]
fn the_drain_ends_before_the_kill() {
    for file in SIDECARS {
        let pod = &manifest(file, "Deployment")["spec"]["template"]["spec"];
        let drain: u64 = value(&texts(&sidecar(file)["args"]), "--drain-timeout").parse().unwrap();
        let wait = sidecar(file)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        assert!(wait + drain < pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    }
}

/// How the rules work is tested in `redirect`.
#[test]
fn the_rules_are_those_that_the_proxy_prints() {
    let data = &manifest("intercept.yaml", "ConfigMap")["data"];
    let user = sidecar("intercept.yaml")["securityContext"]["runAsUser"].to_string();
    let path = env::temp_dir().join(format!("chaos-proxy-deploy-{}-printed.yaml", std::process::id()));
    fs::write(&path, data["routes.yaml"].as_str().unwrap()).unwrap();
    let arguments = ["--print-redirect", "nft", "--proxy-user", &user, "--config", path.to_str().unwrap()];
    let printed = String::from_utf8(chaos_proxy(&arguments).stdout).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(data["redirect.sh"], printed);
    let containers = &manifest("intercept.yaml", "Deployment")["spec"]["template"]["spec"];
    assert_ne!(
        containers["containers"][0]["securityContext"]["runAsUser"].to_string(),
        user,
        "it would not be redirected"
    );
}

#[test]
fn monitors_and_policies_are_about_the_port_of_the_admin_server() {
    let port = &sidecar("sidecar.yaml")["ports"][0];
    let endpoint = &manifest("podmonitor.yaml", "PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!((&endpoint["port"], &endpoint["path"]), (&port["name"], &"/metrics".into()));
    let policy = &manifest("access.yaml", "NetworkPolicy")["spec"];
    assert_eq!(policy["ingress"][1]["ports"][0]["port"], port["containerPort"]);
    let labels = &manifest("sidecar.yaml", "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(policy["podSelector"]["matchLabels"], *labels);
    assert_eq!(manifest("podmonitor.yaml", "PodMonitor")["spec"]["selector"]["matchLabels"], *labels);
}
