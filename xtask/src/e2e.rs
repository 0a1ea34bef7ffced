//! The tests on a real host: boots a virtual machine, tells the tests where it is, and takes it down again.

use std::{
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::run::{Done, command, run};

const LOCAL_VM: &str = "chaos-scripts/vm_provisioning/local-vm";
const NAME: &str = "e2e";

/// What of it is a part of all tests: the six faults of our own scripts named and reverted, a healthy host, three others,
/// each with its plan applied, scripts that try to leave the rehearsal's sandbox, and a fault that cuts our own way. The
/// machine is emulated where there is no KVM, and all would take hours.
const PART: [&str; 13] = [
    "rehearsal::nothing_escapes",
    "stories::cpu_quota_throttling",
    "stories::packet_loss",
    "stories::process_frozen",
    "cpu_spike_is_named_and_reverted",
    "memory_leak_is_named_and_reverted",
    "disk_fill_is_named_and_reverted",
    "net_latency_is_named_and_reverted",
    "service_kill_is_named_and_reverted",
    "db_conn_exhaust_is_named_and_reverted",
    "a_healthy_machine_is_called_healthy",
    "disk_fill_reverts_itself",
    "a_fault_that_cuts_our_own_connection_is_reverted_and_proven",
];

/// What comes after it while there is time for more.
const MORE: [&str; 11] = [
    "lab::already::crash_loop",
    "scripts_are_installed_verified_and_looked_at",
    "chaos_needs_a_machine_that_is_fair_game",
    "a_user_who_may_sudo_injects_and_reverts",
    "a_clock_that_is_hours_off_is_said",
    "a_fault_is_gone_after_its_host_died_and_came_back",
    "lab::hard::cgroup_oom",
    "lab::hard::config_invalid",
    "lab::hard::disk_inodes",
    "net_latency_reverts_itself",
    "cpu_spike_reverts_itself",
];

/// Seconds since 1970 after which no further test on the machine is begun; of `MORE` none in the quarter of an hour before.
const UNTIL: &str = "CHAOS_TEST_UNTIL";
const BEFORE: u64 = 15 * 60;

/// Runs the tests on the machine: all of them, or those whose names contain one of `only`.
pub(crate) fn test(only: &[String]) -> Done {
    on_machine(|machine| machine.run(only, false))
}

/// The same as a part of all tests: where no machine can be had that is said, and in CI it is a failure.
pub(crate) fn test_where_possible() -> Done {
    let checked = command(LOCAL_VM).arg("check").output().map_err(|e| format!("{LOCAL_VM}: {e}"))?;
    if checked.status.success() {
        return on_machine(part);
    }
    let why = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
    if std::env::var_os("CI").is_some() {
        return Err(format!("the tests on a virtual machine can't run, which in CI is a failure: {why}"));
    }
    eprintln!("xtask: skipped: the tests on a virtual machine, as there can be none here: {why}");
    Ok(())
}

fn part(machine: &Machine) -> Done {
    let until: Option<u64> = match std::env::var(UNTIL) {
        Ok(text) => Some(text.parse().map_err(|_| format!("{UNTIL}={text}: not seconds since 1970"))?),
        Err(_) => None,
    };
    let listed = vm_tests().args(["--", "--ignored", "--list"]).output().map_err(|e| format!("cargo: {e}"))?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    for name in PART.iter().chain(&MORE) {
        if !listed.lines().any(|l| l.strip_suffix(": test") == Some(name)) {
            return Err(format!("there is no test {name} on the virtual machine"));
        }
    }
    let mut left_out = Vec::new();
    let tests = PART.iter().map(|name| (*name, 0)).chain(MORE.iter().map(|name| (*name, BEFORE)));
    for (name, before) in tests {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?.as_secs();
        if until.is_some_and(|until| now + before >= until) {
            left_out.push(name);
        } else {
            machine.run(&[name.to_owned()], true)?;
        }
    }
    if !left_out.is_empty() {
        eprintln!("xtask: left out for want of time: {}", left_out.join(", "));
    }
    eprintln!("xtask: of the tests on a virtual machine only a part ran; cargo xtask e2e runs all");
    Ok(())
}

/// A virtual machine that is up.
struct Machine {
    ssh_config: String,
}

fn on_machine(test: impl Fn(&Machine) -> Done) -> Done {
    // Before the machine is up, which a build would slow down.
    run(vm_tests().arg("--no-run"))?;
    let _ = command(LOCAL_VM).args(["down", NAME]).stderr(Stdio::null()).status();
    run(command(LOCAL_VM).args(["up", NAME]))?;
    let told = command(LOCAL_VM).args(["ssh-config", NAME]).output().map_err(|e| format!("{LOCAL_VM}: {e}"))?;
    let tested = test(&Machine { ssh_config: String::from_utf8_lossy(&told.stdout).trim().to_owned() });
    let downed = run(command(LOCAL_VM).args(["down", NAME]));
    tested.and(downed)
}

/// With all features, as the other tests are built.
fn vm_tests() -> Command {
    let mut cargo = command("cargo");
    cargo.args(["test", "--workspace", "--all-features", "--locked", "--test", "vm"]);
    cargo
}

impl Machine {
    /// The tests whose names contain one of `only`, or are one of them.
    fn run(&self, only: &[String], exact: bool) -> Done {
        let mut tests = vm_tests();
        tests
            .args(["--", "--ignored", "--nocapture", "--test-threads", "1"])
            .args(exact.then_some("--exact"))
            .args(only);
        tests.env("CHAOS_VM", NAME).env("CHAOS_VM_SSH_CONFIG", &self.ssh_config);
        run(&mut tests)
    }
}
