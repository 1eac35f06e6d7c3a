//! `docker-compose.yml` as Compose reads it: reachable ports, rights, configuration.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::config::{SECRETS, from_vars};
use provision::{compose, redis};
use serde_json::{Map, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The services of the file, read with these env files.
fn services(env_files: &[&str]) -> Map<String, Value> {
    serde_json::from_value(project(env_files, &[])["services"].take()).unwrap()
}

/// The file as Compose resolves it with these env files and overriding files.
fn project(env_files: &[&str], overrides: &[&Path]) -> Value {
    let read = |file: &&str| compose::variables(&std::fs::read_to_string(root().join(file)).unwrap());
    let mut variables: Vec<_> = env_files.iter().flat_map(read).collect();
    if !env_files.contains(&"deploy/demo.env") {
        variables.push(("ENV_FILE".into(), ".env.example".into()));
    }
    let file = root().join("docker-compose.yml");
    let files = [&[file.as_path()], overrides].concat();
    compose::load(&root().join("deploy/compose-check"), &files, &variables).unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Services whose image runs as root.
const IMAGES_OF_USERS: [&str; 6] = [
    "calwire/",
    "centrifugo/",
    "prom/",
    "grafana/",
    "redis",
    "postgres",
];

#[test]
fn every_container_has_only_the_rights_that_it_needs() {
    for (name, service) in services(&[".env.example"]) {
        assert_eq!(service["read_only"], true, "{name} may write to its image");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name} keeps capabilities");
        assert_eq!(
            words(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert!(service["privileged"].is_null(), "{name}");
        let limits = &service["deploy"]["resources"]["limits"];
        for limit in ["cpus", "memory", "pids"] {
            assert!(!limits[limit].is_null(), "{name} has no limit of {limit}");
        }
        // Docker refuses a container that may use more processors than the host has.
        assert_eq!(limits["cpus"].to_string().trim_matches('"'), "1", "{name}");
        assert!(!service["restart"].is_null(), "{name} stays away when it ends");
        let image = service["image"].as_str().unwrap();
        assert!(
            IMAGES_OF_USERS.iter().any(|known| image.starts_with(known)),
            "{name}: whose user does {image} run as?"
        );
        if image.starts_with("postgres") || image.starts_with("redis") {
            assert!(service["user"].is_string(), "{name} runs as root");
        }
    }
}

#[test]
fn only_the_proxy_is_published_outside_the_inner_network() {
    for (name, service) in services(&[".env.example"]) {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(
                name == "proxy" || port["host_ip"] == "127.0.0.1",
                "{name} is published to the world: {port}"
            );
        }
        let networks: BTreeSet<_> = service["networks"].as_object().unwrap().keys().collect();
        let inner = networks.iter().any(|network| *network == "inner");
        match name.as_str() {
            "proxy" => assert!(!inner, "the proxy is beside the database and the broker's API"),
            "postgres" | "redis" | "migrate" => {
                assert_eq!(networks.len(), 1, "{name} needs the inner network alone");
                assert!(inner);
            }
            _ => {}
        }
    }
}

/// Docker publishes on both families where no address is named:
/// <https://docs.docker.com/engine/network/port-publishing/>.
#[test]
fn the_proxy_is_published_on_both_families_by_default() {
    for (env_file, address) in [
        (".env.example", Value::Null),
        ("deploy/demo.env", "127.0.0.1".into()),
    ] {
        let ports = services(&[env_file])["proxy"]["ports"].take();
        let ports = ports.as_array().unwrap();
        assert_eq!(ports.len(), 3);
        for port in ports {
            assert_eq!(port["host_ip"], address, "{env_file}: {port}");
        }
    }
}

#[test]
fn services_start_after_their_dependencies_and_have_health_checks() {
    let services = services(&[".env.example"]);
    let waits_for = |service: &str, other: &str, condition: &str| {
        assert_eq!(
            services[service]["depends_on"][other]["condition"], condition,
            "{service} and {other}"
        );
    };
    waits_for("migrate", "postgres", "service_healthy");
    for service in ["calendar-api", "webhook-ingest", "watch-renewer"] {
        waits_for(service, "migrate", "service_completed_successfully");
        waits_for(service, "centrifugo", "service_healthy");
        assert_eq!(
            words(&services[service]["healthcheck"]["test"]),
            ["CMD", "/service", "health"]
        );
    }
    waits_for("proxy", "calendar-api", "service_healthy");
    waits_for("centrifugo", "redis", "service_healthy");
}

#[test]
fn scaled_out_copies_share_one_broker() {
    let services = services(&[".env.example", "deploy/scale.env"]);
    for service in ["calendar-api", "webhook-ingest", "watch-renewer"] {
        assert_eq!(services[service]["deploy"]["replicas"], 3, "{service}");
    }
    assert_eq!(services["centrifugo"]["deploy"]["replicas"], 2);
    assert_eq!(
        services["centrifugo"]["environment"]["CENTRIFUGO_ENGINE_TYPE"],
        "redis"
    );
    // As the tests with several nodes run it.
    let command = words(&services["redis"]["command"]);
    assert_eq!(command, [&["redis-server"], &redis::SETTINGS[..]].concat());
}

/// On a host that serves real users, the demo is beside them and not instead of them.
#[test]
fn the_demo_is_a_project_of_its_own() {
    let name = |env_file| project(&[env_file], &[])["name"].take();
    assert_eq!(name(".env.example"), "calwire");
    assert_eq!(name("deploy/demo.env"), "calwire-demo");
}

/// As docs/operations.md has it.
#[test]
fn another_postgres_can_be_used() {
    let operations = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let yaml = operations.split("```yaml\n").nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("docker-compose.override.yml");
    std::fs::write(&file, yaml.split("```").next().unwrap()).unwrap();
    let services = project(&[".env.example"], &[&file])["services"].take();
    assert!(services["postgres"].is_null());
    let migrate = &services["migrate"];
    assert!(migrate["depends_on"].is_null(), "{migrate}");
    let networks: Vec<_> = migrate["networks"].as_object().unwrap().keys().collect();
    assert_eq!(networks, ["edge", "inner"]);
}

#[test]
fn origins_that_may_call_the_api_may_open_sockets() {
    let mut services = services(&[".env.example"]);
    let centrifugo = services["centrifugo"].take();
    let script = words(&centrifugo["entrypoint"])[2];
    let (before, broker) = script.split_once("exec ").unwrap();
    assert!(broker.starts_with("centrifugo "), "{broker}");
    let output = Command::new("sh")
        .args([
            "-c",
            &format!("{before} printf %s \"$CENTRIFUGO_CLIENT_ALLOWED_ORIGINS\""),
        ])
        .env(
            "PAGE_ORIGINS",
            "https://calendar.example,https://app.example, https://other.example",
        )
        .output()
        .unwrap();
    let origins = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        origins,
        "https://calendar.example https://app.example https://other.example"
    );
    let of_sample = &centrifugo["environment"]["PAGE_ORIGINS"];
    assert_eq!(of_sample, "http://localhost,http://localhost:3000");
}

/// A tag may be moved to something else; a digest is the image.
#[test]
fn images_of_others_are_named_by_digest() {
    let is_digest = |image: &str| {
        let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
        digest.is_some_and(|digest| {
            digest.len() == 64
                && digest
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    for (name, service) in services(&[".env.example"]) {
        let image = service["image"].as_str().unwrap();
        assert!(
            image.starts_with("calwire/") || is_digest(image),
            "{name}: {image}"
        );
    }
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let mut stages = vec![];
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let (image, stage) = line.split_once(" AS ").unwrap();
        assert!(stages.contains(&image) || is_digest(image), "{image}");
        stages.push(stage);
    }
    assert!(stages.len() > 5, "{stages:?}");
}

#[test]
fn every_built_image_is_in_the_dockerfile() {
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let mut built = 0;
    for (name, service) in services(&[".env.example"]) {
        if let Some(target) = service["build"]["target"].as_str() {
            assert!(
                dockerfile.contains(&format!(" AS {target}\n")),
                "{name}: deploy/Dockerfile has no target {target}"
            );
            built += 1;
        }
    }
    assert_eq!(built, 7);
}

/// The secrets as `deploy/secrets.sh` makes them, in a folder of the test's.
fn made_secrets(argument: Option<&str>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("deploy/secrets.sh"), folder.path().join("secrets.sh")).unwrap();
    let run = || {
        let output = Command::new("sh")
            .arg(folder.path().join("secrets.sh"))
            .args(argument)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run().contains("created "));
    assert!(!run().contains("created "), "a second run makes other secrets");
    let secrets = folder.path().join(argument.map_or("secrets", |_| "demo-secrets"));
    (folder, secrets)
}

/// The variables of a container, with the files of its secrets where the script made them.
fn environment(service: &Value, secrets: &Path) -> Vec<(String, String)> {
    let environment = service["environment"].as_object().unwrap();
    environment
        .iter()
        .map(|(name, value)| {
            let value = value.as_str().unwrap_or_default();
            let value = match value.strip_prefix("/run/secrets/") {
                None => value.to_owned(),
                Some(secret) => {
                    let variable = name.strip_suffix("_FILE").unwrap();
                    assert!(SECRETS.contains(&variable), "{name} is read by no service");
                    let mounted = service["secrets"].as_array().unwrap();
                    assert!(
                        mounted.iter().any(|it| it["source"] == secret),
                        "{secret} is not mounted"
                    );
                    secrets.join(secret).to_string_lossy().into_owned()
                }
            };
            (name.clone(), value)
        })
        .collect()
}

#[test]
fn the_services_start_with_what_the_file_gives_them() {
    for (env_file, argument) in [(".env.example", None), ("deploy/demo.env", Some("--demo"))] {
        let (_folder, secrets) = made_secrets(argument);
        if argument.is_none() {
            let client = secrets.join("google_client_secret");
            std::fs::remove_file(&client).unwrap();
            std::fs::write(client, "GOCSPX-of-the-console\n").unwrap();
        }
        let services = services(&[env_file]);
        let read = |service: &str| {
            let mut environment = environment(&services[service], &secrets);
            if argument.is_none() {
                environment.push(("GOOGLE_CLIENT_ID".into(), "client".into()));
            }
            environment
        };
        let api: calendar_api::Config = from_vars(read("calendar-api")).unwrap();
        api.authenticator().map(drop).unwrap();
        assert_eq!(api.listen_addr.to_string(), "0.0.0.0:8080");
        let ingest: webhook_ingest::Config = from_vars(read("webhook-ingest")).unwrap();
        assert_eq!(
            ingest.centrifugo_api_key.expose(),
            api.centrifugo_api_key.expose()
        );
        let renewer: watch_renewer::Config = from_vars(read("watch-renewer")).unwrap();
        assert_eq!(
            renewer.sync.settings().webhook_address().is_some(),
            argument.is_some()
        );
    }
}
