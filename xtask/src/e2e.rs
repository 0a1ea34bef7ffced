//! The tests on a real host: boots a virtual machine, tells the tests where it is, and takes it down again.

use std::process::Stdio;

use crate::run::{Done, command, run};

const LOCAL_VM: &str = "chaos-scripts/vm_provisioning/local-vm";
const NAME: &str = "e2e";

/// Runs the tests on the machine: all of them, or those whose names contain one of `only`.
pub(crate) fn test(only: &[String]) -> Done {
    // Before the machine is up, which a build would slow down. With all features, as the other tests are built.
    let vm_tests = || {
        let mut cargo = command("cargo");
        cargo.args(["test", "--workspace", "--all-features", "--locked", "--test", "vm"]);
        cargo
    };
    run(vm_tests().arg("--no-run"))?;
    let _ = command(LOCAL_VM).args(["down", NAME]).stderr(Stdio::null()).status();
    run(command(LOCAL_VM).args(["up", NAME]))?;
    let told = command(LOCAL_VM).args(["ssh-config", NAME]).output().map_err(|e| format!("{LOCAL_VM}: {e}"))?;
    let config = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    let mut tests = vm_tests();
    tests.args(["--", "--ignored", "--nocapture", "--test-threads", "1"]).args(only);
    tests.env("CHAOS_VM", NAME).env("CHAOS_VM_SSH_CONFIG", config);
    let tested = run(&mut tests);
    let downed = run(command(LOCAL_VM).args(["down", NAME]));
    tested.and(downed)
}

/// The same as a part of all tests: where no machine can be had that is said, and in CI it is a failure.
pub(crate) fn test_where_possible() -> Done {
    let checked = command(LOCAL_VM).arg("check").output().map_err(|e| format!("{LOCAL_VM}: {e}"))?;
    if checked.status.success() {
        return test(&[]);
    }
    let why = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
    if std::env::var_os("CI").is_some() {
        return Err(format!("the tests on a virtual machine can't run, which in CI is a failure: {why}"));
    }
    eprintln!("xtask: skipped: the tests on a virtual machine, as there can be none here: {why}");
    Ok(())
}
