//! The architecture's table of tables names each table of the schema.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_architecture_names_every_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tables = BTreeSet::new();
    for migration in std::fs::read_dir(root.join("migrations")).expect("migrations") {
        let sql = std::fs::read_to_string(migration.expect("a migration").path()).expect("UTF-8");
        let created = sql.lines().filter_map(|line| line.strip_prefix("create table "));
        tables.extend(created.filter_map(|rest| rest.split_whitespace().next().map(str::to_owned)));
    }
    assert!(tables.len() >= 19, "only {tables:?}");
    let document = std::fs::read_to_string(root.join("docs/architecture.md")).expect("the document");
    let section = document
        .split("\n## ")
        .find(|section| section.starts_with("Tables\n"))
        .expect("the section");
    let named: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|names| names.split(['`', ',', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, tables);
}
