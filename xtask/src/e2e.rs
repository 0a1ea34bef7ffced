//! The tests on a real host: boots a virtual machine, tells the tests where it is, and takes it down again.

use std::process::Stdio;

use crate::run::{Done, command, run};

const LOCAL_VM: &str = "chaos-scripts/vm_provisioning/local-vm";
const NAME: &str = "e2e";

/// Runs the tests on the machine: all of them, or those whose names contain one of `only`.
pub(crate) fn test(only: &[String]) -> Done {
    // Before the machine is up, which a build would slow down.
    run(command("cargo").args(["test", "-p", "chaos-server", "--locked", "--test", "vm", "--no-run"]))?;
    let _ = command(LOCAL_VM).args(["down", NAME]).stderr(Stdio::null()).status();
    run(command(LOCAL_VM).args(["up", NAME]))?;
    let told = command(LOCAL_VM).args(["ssh-config", NAME]).output().map_err(|e| format!("{LOCAL_VM}: {e}"))?;
    let config = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    let mut tests = command("cargo");
    tests.args(["test", "-p", "chaos-server", "--locked", "--test", "vm", "--", "--ignored", "--nocapture"]);
    tests.args(["--test-threads", "1"]).args(only).env("CHAOS_VM", NAME).env("CHAOS_VM_SSH_CONFIG", config);
    let tested = run(&mut tests);
    let downed = run(command(LOCAL_VM).args(["down", NAME]));
    tested.and(downed)
}
