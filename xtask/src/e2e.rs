//! The tests on a real host: boots a virtual machine, tells the tests where it is, and takes it down again.

use std::process::Stdio;

use crate::run::{Done, command, run};

const LOCAL_VM: &str = "chaos-scripts/vm_provisioning/local-vm";
const NAME: &str = "e2e";

/// What runs as a part of all tests: each of our scenarios named and reverted, a healthy host, what can go wrong around
/// them, and three faults that are none of ours. The machine is emulated where there is no KVM, and all would take hours.
const PART: [&str; 20] = [
    "cpu_spike_is_named",
    "memory_leak_is_named",
    "disk_fill_is_named",
    "net_latency_is_named",
    "service_kill_is_named",
    "db_conn_exhaust_is_named",
    "a_healthy_machine",
    "cpu_spike_reverts_itself",
    "disk_fill_reverts_itself",
    "net_latency_reverts_itself",
    "db_conn_exhaust_reverts_itself",
    "a_fault_that_cuts_our_own",
    "a_fault_is_gone_after_its_host",
    "a_user_who_may_sudo",
    "a_clock_that_is_hours_off",
    "chaos_needs_a_machine",
    "scripts_are_installed",
    "hard::cgroup_oom",
    "hard::config_invalid",
    "hard::disk_inodes",
];

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
        eprintln!(
            "xtask: of the tests on a virtual machine {} run here; left out are the other faults of chaos-server/tests/vm/lab \
             and two reverts: cargo xtask e2e runs them all",
            PART.len()
        );
        return test(&PART.map(str::to_owned));
    }
    let why = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
    if std::env::var_os("CI").is_some() {
        return Err(format!("the tests on a virtual machine can't run, which in CI is a failure: {why}"));
    }
    eprintln!("xtask: skipped: the tests on a virtual machine, as there can be none here: {why}");
    Ok(())
}
