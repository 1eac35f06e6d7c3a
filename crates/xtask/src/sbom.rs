//! `sbom`: what each service is made of, in CycloneDX's format, from `cargo metadata` and the checksums of `Cargo.lock`.
//! The same sources make the same bytes: there is no date and no random number in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cargo::cargo;
use crate::services::PACKAGES;
use crate::workspace;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to, a file for each service.
    #[arg(long, value_name = "FOLDER", default_value = "target/sbom")]
    out: PathBuf,
    /// The platform that the services are built for.
    #[arg(long, value_name = "TRIPLE", default_value = "x86_64-unknown-linux-gnu")]
    target: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None: it is of this workspace.
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None: of the code itself; else `build` or `dev`.
    kind: Option<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let output = cargo()
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
        ])
        .arg(&args.target)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("cargo metadata failed ({})", output.status);
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not understood")?;
    let lock = std::fs::read_to_string(workspace::root().join("Cargo.lock"))?;
    let out = workspace::root().join(&args.out);
    std::fs::create_dir_all(&out)?;
    for service in PACKAGES {
        let bill = bill(&metadata, &checksums(&lock), service)?;
        let file = out.join(format!("{service}.cdx.json"));
        std::fs::write(&file, format!("{bill:#}\n"))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Name and version → SHA-256 of the package as it was published.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let field = |package: &'_ str, name: &str| -> Option<(usize, usize)> {
        let start = package.find(&format!("\n{name} = \""))? + name.len() + 5;
        Some((start, start + package[start..].find('"')?))
    };
    lock.split("[[package]]")
        .filter_map(|package| {
            let text = |name| field(package, name).map(|(start, end)| &package[start..end]);
            Some(((text("name")?, text("version")?), text("checksum")?))
        })
        .collect()
}

fn bill(metadata: &Metadata, checksums: &BTreeMap<(&str, &str), &str>, service: &str) -> Result<Value> {
    let packages: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name == service && package.source.is_none())
        .with_context(|| format!("there is no package {service}"))?;
    let at_run_time = reach(&nodes, &packages, &root.id, &[None]);
    let all = reach(&nodes, &packages, &root.id, &[None, Some("build")]);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &all {
        let (package, node) = (packages[id], nodes[id]);
        if *id != root.id {
            let is_in_it = at_run_time.contains(id) && !is_macro(package);
            components.push(component(
                package,
                checksums,
                if is_in_it { "required" } else { "excluded" },
            ));
        }
        let needs: BTreeSet<String> = node
            .deps
            .iter()
            .filter(|dependency| {
                all.contains(dependency.pkg.as_str()) && is_of(dependency, &[None, Some("build")])
            })
            .map(|dependency| purl(packages[dependency.pkg.as_str()]))
            .collect();
        dependencies.push(json!({"ref": purl(package), "dependsOn": needs}));
    }
    let mut of_service = component(root, checksums, "required");
    of_service["type"] = json!("application");
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": of_service},
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What is needed, by dependencies of these kinds; a macro runs in the compiler, and so does what it needs.
fn reach<'a>(
    nodes: &BTreeMap<&'a str, &'a Node>,
    packages: &BTreeMap<&'a str, &'a Package>,
    root: &'a str,
    kinds: &[Option<&str>],
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !found.insert(id) || (kinds.len() == 1 && is_macro(packages[id])) {
            continue;
        }
        let needed = nodes[id]
            .deps
            .iter()
            .filter(|dependency| is_of(dependency, kinds));
        open.extend(needed.map(|dependency| dependency.pkg.as_str()));
    }
    found
}

fn is_of(dependency: &Dependency, kinds: &[Option<&str>]) -> bool {
    dependency
        .dep_kinds
        .iter()
        .any(|kind| kinds.contains(&kind.kind.as_deref()))
}

fn is_macro(package: &Package) -> bool {
    package
        .targets
        .iter()
        .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
}

fn component(package: &Package, checksums: &BTreeMap<(&str, &str), &str>, scope: &str) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "scope": scope,
        "purl": purl(package),
    });
    if let Some(license) = &package.license {
        // An older way to write "or".
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(checksum) = checksums.get(&(package.name.as_str(), package.version.as_str())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn purl(package: &Package) -> String {
    format!(
        "pkg:cargo/{}@{}",
        package.name,
        package.version.replace('+', "%2B")
    )
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_bill_names_each_dependency_once_and_what_it_needs() {
        let package = |name: &str, source: Option<&str>, kind: &str| {
            json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "source": source,
                   "targets": [{"kind": [kind]}]})
        };
        let needs = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let registry = Some("registry+https://example.com/index");
        let metadata = json!({
            "packages": [
                package("service", None, "bin"), package("a", registry, "lib"), package("b", registry, "lib"),
                package("derive", registry, "proc-macro"), package("syn", registry, "lib"), package("cc", registry, "lib"),
                package("tests", registry, "lib"),
            ],
            "resolve": {"nodes": [
                {"id": "service", "deps": [needs("a", json!(null)), needs("derive", json!(null)), needs("tests", json!("dev"))]},
                {"id": "a", "deps": [needs("b", json!(null)), needs("cc", json!("build"))]},
                {"id": "b", "deps": []},
                {"id": "derive", "deps": [needs("syn", json!(null))]},
                {"id": "syn", "deps": []}, {"id": "cc", "deps": []}, {"id": "tests", "deps": []},
            ]},
        });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let lock =
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"abc\"\n";
        let bill = bill(&metadata, &checksums(lock), "service").unwrap();
        let scopes: Vec<_> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| {
                format!(
                    "{} {}",
                    component["name"].as_str().unwrap(),
                    component["scope"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(
            scopes,
            [
                "a required",
                "b required",
                "cc excluded",
                "derive excluded",
                "syn excluded"
            ]
        );
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "abc");
        assert_eq!(
            bill["components"][0]["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
        assert_eq!(bill["metadata"]["component"]["type"], "application");
        let of_a = &bill["dependencies"][0];
        assert_eq!(
            (&of_a["ref"], &of_a["dependsOn"]),
            (
                &json!("pkg:cargo/a@1.0.0"),
                &json!(["pkg:cargo/b@1.0.0", "pkg:cargo/cc@1.0.0"])
            )
        );
    }
}
