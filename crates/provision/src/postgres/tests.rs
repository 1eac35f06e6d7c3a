use super::*;

#[test]
fn packages_name_their_version_in_the_directory() {
    assert_eq!(version_in_name(Path::new("/usr/lib/postgresql/15")), Some(15));
    assert_eq!(version_in_name(Path::new("/usr/pgsql-17")), Some(17));
    assert_eq!(
        version_in_name(Path::new("/opt/homebrew/opt/postgresql@16")),
        Some(16)
    );
    assert_eq!(version_in_name(Path::new("/usr/bin")), None);
}

#[test]
fn a_cluster_keeps_its_data_over_stop_and_crash() {
    let binaries = Binaries::find_or_install(&mut |_| {}).unwrap();
    let parent = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let options = ClusterOptions {
        dir: parent.path().join("cluster"),
        port: port::free().unwrap(),
        password: Some("secret".into()),
        durable: true,
        clock: None,
    };

    let cluster = Cluster::start(&binaries, options.clone()).unwrap();
    let count = "select count(*) from kept";
    binaries
        .psql(
            &cluster.url(),
            Script::Text("create table kept as select generate_series(1, 3)"),
        )
        .unwrap();
    drop(cluster);

    let mut cluster = Cluster::start(&binaries, options.clone()).unwrap();
    assert_eq!(
        binaries.psql(&cluster.url(), Script::Text(count)).unwrap().trim(),
        "3"
    );
    cluster.crash_and_restart().unwrap();
    assert_eq!(
        binaries.psql(&cluster.url(), Script::Text(count)).unwrap().trim(),
        "3"
    );
    let stranger = cluster.url().replace(":secret@", ":wrong@");
    assert!(binaries.psql(&stranger, Script::Text("select 1")).is_err());
    drop(cluster);

    wipe(&options.dir).unwrap();
    assert!(!options.dir.exists());
}
