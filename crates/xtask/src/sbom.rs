//! `sbom`: what each service is made of, in CycloneDX's format: the crates that `cargo tree` has for its features, with what
//! `cargo metadata` and the checksums of `Cargo.lock` say of them. The same sources make the same bytes: there is no date and
//! no random number in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use provision::process::output;
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
        let bill = bill(
            &metadata,
            &checksums(&lock),
            service,
            &Built::of(service, &args.target)?,
        )?;
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

/// Name and version of each crate that is compiled for a service. `cargo metadata` would name more: what could be, were all
/// features on.
struct Built {
    /// With what runs in the compiler: macros, build scripts and what they need.
    all: BTreeSet<(String, String)>,
    /// What is in the binary.
    in_binary: BTreeSet<(String, String)>,
}

impl Built {
    fn of(service: &str, target: &str) -> Result<Self> {
        let tree = |edges: &str| -> Result<_> {
            let mut command = cargo();
            command.args(["tree", "--locked", "--package", service, "--target", target]);
            command.args(["--edges", edges, "--prefix", "none", "--format", "{p}"]);
            Ok(crates_of(&output(&mut command)?))
        };
        Ok(Self {
            all: tree("normal,build")?,
            in_binary: tree("normal,no-proc-macro")?,
        })
    }
}

/// Of lines such as `serde v1.0.229 (*)`.
fn crates_of(tree: &str) -> BTreeSet<(String, String)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
            Some((name.to_owned(), version.to_owned()))
        })
        .collect()
}

fn bill(
    metadata: &Metadata,
    checksums: &BTreeMap<(&str, &str), &str>,
    service: &str,
    built: &Built,
) -> Result<Value> {
    let is_in =
        |set: &BTreeSet<_>, package: &Package| set.contains(&(package.name.clone(), package.version.clone()));
    let packages: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .filter(|package| is_in(&built.all, package))
        .map(|package| (package.id.as_str(), package))
        .collect();
    let root = packages
        .values()
        .find(|package| package.name == service && package.source.is_none())
        .with_context(|| format!("there is no package {service}"))?;
    let mut components = Vec::new();
    for package in packages.values().filter(|package| package.id != root.id) {
        let scope = if is_in(&built.in_binary, package) {
            "required"
        } else {
            "excluded"
        };
        components.push(component(package, checksums, scope));
    }
    let mut dependencies = Vec::new();
    for node in &metadata.resolve.nodes {
        let Some(package) = packages.get(node.id.as_str()) else {
            continue;
        };
        let needs: BTreeSet<String> = node
            .deps
            .iter()
            .filter(|dependency| is_of(dependency, &[None, Some("build")]))
            .filter_map(|dependency| Some(purl(packages.get(dependency.pkg.as_str())?)))
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

fn is_of(dependency: &Dependency, kinds: &[Option<&str>]) -> bool {
    dependency
        .dep_kinds
        .iter()
        .any(|kind| kinds.contains(&kind.kind.as_deref()))
}

fn component(package: &Package, checksums: &BTreeMap<(&str, &str), &str>, scope: &str) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "scope": scope,
    });
    // A crate of this workspace is in no registry: there the name may be somebody else's.
    if package.source.is_some() {
        component["purl"] = json!(purl(package));
    }
    if let Some(license) = &package.license {
        // An older way to write "or".
        let alternatives: Vec<_> = license.split('/').map(str::trim).collect();
        component["licenses"] = json!([{"expression": alternatives.join(" OR ")}]);
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
        let package = |name: &str, source: Option<&str>| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT / Apache-2.0", "source": source});
        let needs = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let registry = Some("registry+https://example.com/index");
        let metadata = json!({
            "packages": [
                package("service", None), package("a", registry), package("b", registry), package("cc", registry),
                package("derive", registry), package("syn", registry), package("tests", registry), package("unused", registry),
            ],
            "resolve": {"nodes": [
                {"id": "service", "deps": [needs("a", json!(null)), needs("derive", json!(null)), needs("tests", json!("dev"))]},
                {"id": "a", "deps": [needs("b", json!(null)), needs("cc", json!("build")), needs("unused", json!(null))]},
                {"id": "b", "deps": []},
                {"id": "derive", "deps": [needs("syn", json!(null))]},
                {"id": "syn", "deps": []}, {"id": "cc", "deps": []}, {"id": "tests", "deps": []},
                {"id": "unused", "deps": []},
            ]},
        });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let lock =
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"abc\"\n";
        let built = Built {
            all: crates_of(
                "service v1.0.0 (/folder)\na v1.0.0\nb v1.0.0\nb v1.0.0 (*)\ncc v1.0.0\nderive v1.0.0 (proc-macro)\nsyn v1.0.0",
            ),
            in_binary: crates_of("service v1.0.0 (/folder)\na v1.0.0\nb v1.0.0"),
        };
        let bill = bill(&metadata, &checksums(lock), "service", &built).unwrap();
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
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/a@1.0.0");
        assert!(
            bill["metadata"]["component"]["purl"].is_null(),
            "it is in no registry"
        );
        let of_a = &bill["dependencies"][1];
        assert_eq!(
            (&of_a["ref"], &of_a["dependsOn"]),
            (
                &json!("pkg:cargo/a@1.0.0"),
                &json!(["pkg:cargo/b@1.0.0", "pkg:cargo/cc@1.0.0"])
            )
        );
    }
}
