//! A few plans of `cargo xtask chaos`, to be run alone.

use std::process::Command;

#[test]
#[ignore = "takes minutes, and all of the machine"]
fn what_was_promised_holds_whatever_breaks() {
    let chaos = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["--seeds", "4"])
        .status()
        .unwrap();
    assert!(chaos.success(), "{chaos}");
}
