//! `configs/kubernetes/intercept.yaml` as a pod runs it: its rules in the namespace of the pod, its proxy with its user, and
//! its `ConfigMap` as the kubelet mounts and replaces it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::ask;
use crate::network::{Network, server_v4, server_v6};
use crate::proxy::Proxy;

fn manifest(kind: &str) -> Value {
    let text = fs::read_to_string("configs/kubernetes/intercept.yaml").unwrap();
    let mut manifests = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    manifests.find(|manifest| manifest["kind"] == kind).unwrap()
}

/// A mounted `ConfigMap`: each file is a link to `..data/FILE`, and `..data` one to a directory that is replaced.
struct Mount {
    path: PathBuf,
    versions: usize,
}

impl Mount {
    fn new(data: &Value) -> Self {
        let path = std::env::temp_dir().join(format!("chaos-proxy-configmap-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut mount = Self { path, versions: 0 };
        mount.replace(data);
        for file in data.as_object().unwrap().keys() {
            symlink(Path::new("..data").join(file), mount.path.join(file)).unwrap();
        }
        mount
    }

    fn replace(&mut self, data: &Value) {
        self.versions += 1;
        let version = format!("..v{}", self.versions);
        fs::create_dir(self.path.join(&version)).unwrap();
        for (file, text) in data.as_object().unwrap() {
            fs::write(self.path.join(&version).join(file), text.as_str().unwrap()).unwrap();
        }
        symlink(&version, self.path.join("..data_tmp")).unwrap();
        fs::rename(self.path.join("..data_tmp"), self.path.join("..data")).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[test]
fn a_pod_is_redirected_and_its_config_map_replaced() {
    let Some(network) = Network::new() else { return };
    let mut data = manifest("ConfigMap")["data"].take();
    let mut mount = Mount::new(&data);
    let container = &manifest("Deployment")["spec"]["template"]["spec"]["initContainers"][0];
    let mounted = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let replaced = |text: &Value| text.as_str().unwrap().replace(mounted, mount.path.to_str().unwrap());
    let arguments: Vec<String> = container["args"].as_array().unwrap().iter().map(replaced).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let user = container["securityContext"]["runAsUser"].as_u64().unwrap().try_into().unwrap();
    let proxy = Proxy::start_with(&network, &arguments, user);
    // A container that is started again runs it again.
    for _ in 0..2 {
        network.router.run_script(data["redirect.sh"].as_str().unwrap(), &[]);
    }
    for server in [server_v4(5432), server_v6(5432)] {
        assert!(ask(&mut network.router.connect(server)).1 >= Duration::from_millis(80), "{server}");
    }
    assert!(ask(&mut network.router.connect(server_v4(7000))).1 < Duration::from_millis(80));
    let slower = data["routes.yaml"].as_str().unwrap().replace("latency: 100", "latency: 500");
    data["routes.yaml"] = slower.into();
    mount.replace(&data);
    proxy.wait_for(&["route changed", "by=watch"]);
    assert!(ask(&mut network.router.connect(server_v4(5432))).1 >= Duration::from_millis(480));
    network.router.run_script(data["redirect.sh"].as_str().unwrap(), &["remove"]);
}
