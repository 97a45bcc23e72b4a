//! The image and the services of `configs/docker`.

use std::fs;

use super::{assert_flags_exist, texts, value};

const DOCKERFILE: &str = "configs/docker/Dockerfile";

#[test]
fn the_image_has_only_the_binary_and_no_root() {
    let text = fs::read_to_string(DOCKERFILE).unwrap();
    let (_, image) = text.split_once("\nFROM scratch\n").unwrap();
    let user = image.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert_eq!(image.lines().filter(|line| line.starts_with("COPY")).count(), 1);
    assert_eq!(dockerfile_list("ENTRYPOINT ["), ["/chaos-proxy"]);
    assert!(text.contains(&format!("chaos-proxy:{}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn its_flags_exist_and_its_drain_ends_before_the_kill() {
    let args = dockerfile_list("CMD [");
    assert_flags_exist(&args);
    let drain: u64 = value(&args, "--drain-timeout").parse().unwrap();
    assert!(drain < 10, "docker stop kills after 10 s");
    let text = fs::read_to_string(DOCKERFILE).unwrap();
    let check = text.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let check = texts(&serde_json::from_str(&check[check.find('[').unwrap()..]).unwrap());
    assert_flags_exist(&check);
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(port(&value(&check, "--health")), port(&value(&args, "--admin")));
}

/// The words of a line of the Dockerfile that has a list, such as `CMD ["a", "b"]`.
fn dockerfile_list(begin: &str) -> Vec<String> {
    let text = fs::read_to_string(DOCKERFILE).unwrap();
    let line = text.lines().find(|line| line.starts_with(begin)).unwrap();
    texts(&serde_json::from_str(&line[begin.len() - 1..]).unwrap())
}
