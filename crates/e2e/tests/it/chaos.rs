//! A few plans of `cargo xtask chaos`. This test has to run alone.

use std::process::Command;

#[test]
#[ignore = "takes minutes, and the whole machine"]
fn every_promise_holds_under_faults() {
    let chaos = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["--seeds", "4"])
        .status()
        .unwrap();
    assert!(chaos.success(), "{chaos}");
}
