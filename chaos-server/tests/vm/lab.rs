//! Faults that are none of our scenarios, and healthy situations that look busy: put on the machine by the scripts in
//! `lab/`, from outside, while it is looked at as any host would be. What must be named is written beside each.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Vm, input, keep};

/// What the files of all areas use.
const COMMON: &str = include_str!("lab/common.sh");

/// A file of `lab/`, which defines `CASE_prepare`, `CASE_inject` and `CASE_revert`.
pub(crate) type Area = &'static str;
pub(crate) const RESOURCES: Area = include_str!("lab/resources.sh");
pub(crate) const STORAGE: Area = include_str!("lab/storage.sh");
pub(crate) const SERVICES: Area = include_str!("lab/services.sh");
pub(crate) const NETWORK: Area = include_str!("lab/network.sh");
pub(crate) const HEALTHY: Area = include_str!("lab/healthy.sh");

/// Empties the journal, and the files of those that write their own. In a directory that all may write to not even root
/// may open what is another's as if to create it.
const CLEAN: &str = "journalctl -q --rotate; journalctl -q --vacuum-size=1K
    for file in /var/log/nginx/*.log /var/log/postgresql/*.log; do truncate --no-create --size=0 \"$file\"; done";
/// As hard as `hard`, and there before we look.
const ALREADY: &str = "already";

pub(crate) struct Lab {
    pub(crate) area: Area,
    /// The case's name in its file, and how hard: `mild` or `hard`; or [`ALREADY`].
    pub(crate) case: &'static str,
    pub(crate) level: &'static str,
    /// What may be named: the fault, and where one stands for another what is as right. Empty: the host is healthy.
    pub(crate) faults: &'static [&'static str],
    /// Attributes of the culprit, one of which must be so: name and value. Empty: there is none to name.
    pub(crate) culprit: &'static [(&'static str, &'static str)],
}

impl Lab {
    fn call(&self, vm: &Vm, step: &str) {
        let began = Instant::now();
        // Each case finds logs without the ones before it, as on a host where nothing else has happened.
        let clean = if step == "prepare" { CLEAN } else { "" };
        let text = format!("{clean}\n{COMMON}\n{}\n{}_{step} {}\n", self.area, self.case, self.level);
        input(vm, &text);
        eprintln!("{} {step}: {:.0} s", self.case, began.elapsed().as_secs_f64());
    }

    /// What `eval` holds a recording of it against.
    fn label(&self) -> String {
        let Some((fault, others)) = self.faults.split_first() else { return "fault = \"healthy\"\n".into() };
        let mut text = format!("fault = \"{fault}\"\n");
        if !others.is_empty() {
            text.push_str(&format!("also = {others:?}\n"));
        }
        for (key, value) in self.culprit {
            text.push_str(&format!("[[culprit]]\n{key} = {value:?}\n"));
        }
        text
    }
}

/// Puts a case on the machine and takes it away again, whatever happens between.
pub(crate) struct Placed<'a>(&'a Vm, &'a Lab);

impl<'a> Placed<'a> {
    pub(crate) fn new(vm: &'a Vm, lab: &'a Lab) -> Self {
        let placed = Self(vm, lab);
        lab.call(vm, "prepare");
        placed
    }
}

impl Drop for Placed<'_> {
    fn drop(&mut self) {
        self.1.call(self.0, "revert");
    }
}

pub(crate) fn is_told(lab: &Lab) {
    let vm = Vm::new();
    let incident = {
        let _placed = Placed::new(&vm, lab);
        sleep(Duration::from_secs(4));
        watched(&vm, lab)
    };
    is_right(lab, &incident);
}

/// The diagnosis names one of the faults that may be named, and its culprit; of a healthy host that it is.
pub(crate) fn is_right(lab: &Lab, incident: &Value) {
    let diagnosis = &incident["diagnosis"];
    let steps = format!("{:#}\n{:#}", diagnosis["steps"], diagnosis["limits"]);
    if lab.faults.is_empty() {
        assert_eq!(diagnosis["verdict"], "healthy", "{:#} {steps}", incident["findings"]);
        assert!(incident["plans"][0]["actions"].as_array().unwrap().is_empty());
        return;
    }
    let named = diagnosis["fault"].as_str().unwrap_or("none");
    assert!(lab.faults.contains(&named), "{named} in place of {:?}: {steps}", lab.faults);
    let entity = &diagnosis["culprit"]["entity"];
    let is = |(key, value): &(&str, &str)| match *key {
        "name" => entity["name"] == *value,
        key => entity["attributes"][key] == *value,
    };
    assert!(lab.culprit.is_empty() || lab.culprit.iter().any(is), "{entity:#} in place of {:?}", lab.culprit);
}

/// Looks at the machine; the case begins when the baseline has been taken.
fn begins_meanwhile(vm: &Vm, lab: &Lab) {
    let args = ["run", "--baseline", "25", "--observe", "40", "--json"];
    let mut child = vm.command(&args).stderr(Stdio::inherit()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut begun = false;
    for line in lines.map_while(Result::ok) {
        if !begun && line.contains("watching the target for") {
            lab.call(vm, "inject");
            begun = true;
        }
    }
    assert!(begun, "the observation never began");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Looks at the machine as somebody does who is called: the case began before, and there is no baseline.
fn has_begun(vm: &Vm, lab: &Lab) {
    // Something of what is usual is in the logs.
    sleep(Duration::from_secs(45));
    lab.call(vm, "inject");
    sleep(Duration::from_secs(40));
    let ran = vm.command(&["run", "--json"]).stderr(Stdio::inherit()).output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
}

/// Looks at the machine with the case in it.
pub(crate) fn watched(vm: &Vm, lab: &Lab) -> Value {
    let began = Instant::now();
    if lab.level == ALREADY {
        has_begun(vm, lab);
    } else {
        begins_meanwhile(vm, lab);
    }
    let incident = vm.incident();
    let diagnosis = &incident["diagnosis"];
    eprintln!(
        "{} {}: {} {} {} ({:.0} s)",
        lab.case,
        lab.level,
        diagnosis["verdict"],
        diagnosis["confidence"],
        diagnosis["culprit"]["summary"],
        began.elapsed().as_secs_f64()
    );
    if let Ok(kept) = env::var("CHAOS_VM_KEEP") {
        let to = Path::new(&kept).join(format!("{}_{}", lab.case, lab.level));
        keep(&vm.incident_dir(), &to);
        fs::write(to.join("label.toml"), lab.label()).unwrap();
    }
    incident
}

macro_rules! cases {
    ($($name:ident: $area:ident $level:literal $faults:expr, $culprit:expr;)+) => {
        $(#[test]
        #[ignore = "needs the test machine: cargo xtask e2e"]
        fn $name() {
            is_told(&Lab {
                area: $area,
                case: stringify!($name),
                level: $level,
                faults: &$faults,
                culprit: &$culprit,
            });
        })+
    };
}

mod hard {
    use super::*;

    cases! {
        cgroup_oom: RESOURCES "hard" ["cgroup_oom"], [("unit", "report-worker.service")];
        fd_exhaustion: RESOURCES "hard" ["fd_exhaustion"], [("unit", "price-import.service"), ("command", "python3")];
        task_limit: RESOURCES "hard" ["task_limit"], [("unit", "feed-fetcher.service")];
        zombies: RESOURCES "hard" ["zombies"], [("command", "perl")];
        process_frozen: RESOURCES "hard" ["process_frozen"], [("command", "nginx")];
        process_frozen_app: RESOURCES "hard" ["process_frozen"], [("command", "python3")];
        cpu_quota_throttling: RESOURCES "hard" ["cpu_quota_throttling"], [("unit", "quote-engine.service")];
        host_out_of_memory: RESOURCES "hard" ["host_out_of_memory"], [("unit", "price-cache.service"), ("command", "python3")];
        swap_thrash: RESOURCES "hard" ["swap_thrash"], [("unit", "search-index.service"), ("command", "python3")];
        limits_too_low: RESOURCES "hard" ["limits_too_low"], [("unit", "catalog-indexer.service")];
        cpu_saturation: RESOURCES "hard" ["cpu_saturation"], [("unit", "thumbnailer.service")];
        disk_deleted_open: STORAGE "hard" ["disk_deleted_open"], [("unit", "audit-shipper.service"), ("command", "python3")];
        runaway_log: STORAGE "hard" ["runaway_log"], [("path", "/var/log/billing-sync/sync.log")];
        runaway_log_journal: STORAGE "hard" ["log_flood", "runaway_log"], [("unit", "device-gateway.service")];
        disk_inodes: STORAGE "hard" ["disk_inodes"], [("path", "/srv/data/sessions"), ("mountpoint", "/srv/data")];
        filesystem_read_only: STORAGE "hard" ["filesystem_read_only", "disk_errors"], [("mountpoint", "/srv/archive"), ("device", "dm-0")];
        disk_errors: STORAGE "hard" ["disk_errors"], [("device", "dm-0")];
        disk_io_saturation: STORAGE "hard" ["disk_io_saturation"], [("unit", "tile-builder.service"), ("command", "dd"), ("device", "dm-0")];
        cron_storm: STORAGE "hard" ["cron_storm"], [("command", "region-report"), ("unit", "cron.service")];
        db_lock_pileup: STORAGE "hard" ["db_lock_pileup"], [("command", "postgres")];
        db_auth_refused: STORAGE "hard" ["db_auth_refused"], [("path", "/etc/postgresql/15/main/pg_hba.conf")];
        backup_at_peak: STORAGE "hard" ["backup_at_peak"], [("unit", "nightly-backup.service"), ("command", "tar"), ("command", "gzip")];
        db_disk_bound: STORAGE "hard" ["db_disk_bound"], [("command", "postgres"), ("unit", "meter-report.service"), ("device", "dm-0")];
        crash_loop: SERVICES "hard" ["crash_loop"], [("unit", "inventory.service")];
        service_killed: SERVICES "hard" ["service_killed"], [("unit", "thumbnailer.service")];
        permission_missing: SERVICES "hard" ["permission_missing"], [("unit", "invoices.service"), ("path", "/etc/invoices/invoices.ini")];
        config_invalid: SERVICES "hard" ["config_invalid"], [("unit", "nginx.service")];
        dependency_missing: SERVICES "hard" ["dependency_missing"], [("unit", "inventory.service")];
        port_taken: SERVICES "hard" ["port_taken"], [("port", "80"), ("command", "perl")];
        dependency_down: SERVICES "hard" ["dependency_down"], [];
        service_hang: SERVICES "hard" ["service_hang"], [("unit", "inventory.service"), ("command", "python3")];
        clock_jump: SERVICES "hard" ["clock_jump"], [];
        certificate_expired: SERVICES "hard" ["certificate_expired"], [];
        certificate_mismatch: SERVICES "hard" ["certificate_mismatch"], [];
        packet_loss: NETWORK "hard" ["packet_loss"], [("interface", "eth1")];
        firewall_drop: NETWORK "hard" ["firewall_drop"], [];
        dns_failure: NETWORK "hard" ["dns_failure"], [];
        wrong_hosts_entry: NETWORK "hard" ["wrong_hosts_entry"], [];
        interface_down: NETWORK "hard" ["interface_down"], [("interface", "eth1")];
        ephemeral_ports: NETWORK "hard" ["ephemeral_ports"], [("command", "python3"), ("unit", "price-poller.service")];
        listen_queue_overflow: NETWORK "hard" ["listen_queue_overflow", "service_hang", "process_frozen"], [];
        bandwidth_saturated: NETWORK "hard" ["bandwidth_saturated"], [("interface", "eth1")];
        conntrack_full: NETWORK "hard" ["conntrack_full"], [];
        route_missing: NETWORK "hard" ["route_missing"], [];
        mtu_mismatch: NETWORK "hard" ["mtu_mismatch"], [];
    }
}

mod mild {
    use super::*;

    cases! {
        // Where the host is slow it grows all the time that we look, and is killed later.
        cgroup_oom: RESOURCES "mild" ["cgroup_oom", "memory_leak"], [("unit", "report-worker.service")];
        fd_exhaustion: RESOURCES "mild" ["fd_exhaustion"], [("unit", "price-import.service"), ("command", "python3")];
        task_limit: RESOURCES "mild" ["task_limit"], [("unit", "feed-fetcher.service")];
        zombies: RESOURCES "mild" ["zombies"], [("command", "perl")];
        process_frozen: RESOURCES "mild" ["process_frozen"], [("command", "nginx")];
        process_frozen_app: RESOURCES "mild" ["process_frozen"], [("command", "python3")];
        cpu_quota_throttling: RESOURCES "mild" ["cpu_quota_throttling"], [("unit", "quote-engine.service")];
        host_out_of_memory: RESOURCES "mild" ["host_out_of_memory"], [("unit", "price-cache.service"), ("command", "python3")];
        swap_thrash: RESOURCES "mild" ["swap_thrash"], [("unit", "search-index.service"), ("command", "python3")];
        limits_too_low: RESOURCES "mild" ["limits_too_low"], [("unit", "catalog-indexer.service")];
        cpu_saturation: RESOURCES "mild" ["cpu_saturation"], [("unit", "thumbnailer.service")];
        disk_deleted_open: STORAGE "mild" ["disk_deleted_open"], [("unit", "audit-shipper.service"), ("command", "python3")];
        runaway_log: STORAGE "mild" ["runaway_log"], [("path", "/var/log/billing-sync/sync.log")];
        runaway_log_journal: STORAGE "mild" ["log_flood", "runaway_log"], [("unit", "device-gateway.service")];
        disk_inodes: STORAGE "mild" ["disk_inodes"], [("path", "/srv/data/sessions"), ("mountpoint", "/srv/data")];
        filesystem_read_only: STORAGE "mild" ["filesystem_read_only", "disk_errors"], [("mountpoint", "/srv/archive"), ("device", "dm-0")];
        disk_errors: STORAGE "mild" ["disk_errors"], [("device", "dm-0")];
        disk_io_saturation: STORAGE "mild" ["disk_io_saturation"], [("unit", "tile-builder.service"), ("command", "dd"), ("device", "dm-0")];
        cron_storm: STORAGE "mild" ["cron_storm"], [("command", "region-report"), ("unit", "cron.service")];
        db_lock_pileup: STORAGE "mild" ["db_lock_pileup"], [("command", "postgres")];
        db_auth_refused: STORAGE "mild" ["db_auth_refused"], [("unit", "billing-sync.service"), ("path", "/etc/postgresql/15/main/pg_hba.conf")];
        backup_at_peak: STORAGE "mild" ["backup_at_peak"], [("unit", "nightly-backup.service"), ("command", "tar"), ("command", "gzip")];
        db_disk_bound: STORAGE "mild" ["db_disk_bound"], [("command", "postgres"), ("unit", "meter-report.service"), ("device", "dm-0")];
        crash_loop: SERVICES "mild" ["crash_loop"], [("unit", "inventory.service")];
        service_killed: SERVICES "mild" ["service_killed"], [("unit", "nginx.service")];
        permission_missing: SERVICES "mild" ["permission_missing"], [("unit", "invoices.service"), ("path", "/var/spool/invoices")];
        config_invalid: SERVICES "mild" ["config_invalid"], [("unit", "invoices.service")];
        dependency_missing: SERVICES "mild" ["dependency_missing"], [("unit", "inventory.service")];
        port_taken: SERVICES "mild" ["port_taken"], [("port", "8081"), ("command", "perl")];
        dependency_down: SERVICES "mild" ["dependency_down"], [];
        service_hang: SERVICES "mild" ["service_hang"], [("unit", "inventory.service"), ("command", "python3")];
        clock_jump: SERVICES "mild" ["clock_jump"], [];
        certificate_expired: SERVICES "mild" ["certificate_expired"], [];
        certificate_mismatch: SERVICES "mild" ["certificate_mismatch"], [];
        packet_loss: NETWORK "mild" ["packet_loss"], [("interface", "eth1")];
        firewall_drop: NETWORK "mild" ["firewall_drop"], [];
        dns_failure: NETWORK "mild" ["dns_failure"], [];
        wrong_hosts_entry: NETWORK "mild" ["wrong_hosts_entry"], [];
        interface_down: NETWORK "mild" ["interface_down"], [("interface", "eth1")];
        ephemeral_ports: NETWORK "mild" ["ephemeral_ports"], [("command", "python3"), ("unit", "price-poller.service")];
        listen_queue_overflow: NETWORK "mild" ["listen_queue_overflow", "service_hang", "process_frozen"], [];
        bandwidth_saturated: NETWORK "mild" ["bandwidth_saturated"], [("interface", "eth1")];
        conntrack_full: NETWORK "mild" ["conntrack_full"], [];
        route_missing: NETWORK "mild" ["route_missing"], [];
        mtu_mismatch: NETWORK "mild" ["mtu_mismatch"], [];
    }
}

/// How most people come to use it: something is wrong, and they are called.
mod already {
    use super::*;

    cases! {
        cgroup_oom: RESOURCES "already" ["cgroup_oom"], [("unit", "report-worker.service")];
        fd_exhaustion: RESOURCES "already" ["fd_exhaustion"], [("unit", "price-import.service"), ("command", "python3")];
        process_frozen: RESOURCES "already" ["process_frozen"], [("command", "nginx")];
        cpu_quota_throttling: RESOURCES "already" ["cpu_quota_throttling"], [("unit", "quote-engine.service")];
        disk_inodes: STORAGE "already" ["disk_inodes"], [("path", "/srv/data/sessions"), ("mountpoint", "/srv/data")];
        db_lock_pileup: STORAGE "already" ["db_lock_pileup"], [("command", "postgres")];
        crash_loop: SERVICES "already" ["crash_loop"], [("unit", "inventory.service")];
        service_killed: SERVICES "already" ["service_killed"], [("unit", "thumbnailer.service")];
        permission_missing: SERVICES "already" ["permission_missing"], [("unit", "invoices.service"), ("path", "/etc/invoices/invoices.ini")];
        config_invalid: SERVICES "already" ["config_invalid"], [("unit", "nginx.service")];
        dependency_down: SERVICES "already" ["dependency_down"], [];
        packet_loss: NETWORK "already" ["packet_loss"], [("interface", "eth1")];
        dns_failure: NETWORK "already" ["dns_failure"], [];
        firewall_drop: NETWORK "already" ["firewall_drop"], [];
        swap_thrash: RESOURCES "already" ["swap_thrash"], [("unit", "search-index.service"), ("command", "python3")];
        limits_too_low: RESOURCES "already" ["limits_too_low"], [("unit", "catalog-indexer.service")];
        task_limit: RESOURCES "already" ["task_limit"], [("unit", "feed-fetcher.service")];
        zombies: RESOURCES "already" ["zombies"], [("command", "perl")];
        host_out_of_memory: RESOURCES "already" ["host_out_of_memory"], [("unit", "price-cache.service"), ("command", "python3")];
        backup_at_peak: STORAGE "already" ["backup_at_peak"], [("unit", "nightly-backup.service"), ("command", "tar"), ("command", "gzip")];
        db_disk_bound: STORAGE "already" ["db_disk_bound"], [("command", "postgres"), ("unit", "meter-report.service"), ("device", "dm-0")];
        dependency_missing: SERVICES "already" ["dependency_missing"], [("unit", "inventory.service")];
        clock_jump: SERVICES "already" ["clock_jump"], [];
        certificate_mismatch: SERVICES "already" ["certificate_mismatch"], [];
        ephemeral_ports: NETWORK "already" ["ephemeral_ports"], [("command", "python3"), ("unit", "price-poller.service")];
        listen_queue_overflow: NETWORK "already" ["listen_queue_overflow", "service_hang", "process_frozen"], [];
        conntrack_full: NETWORK "already" ["conntrack_full"], [];
        route_missing: NETWORK "already" ["route_missing"], [];
        mtu_mismatch: NETWORK "already" ["mtu_mismatch"], [];
        idle: HEALTHY "already" [], [];
        load_peak: HEALTHY "already" [], [];
        scary_logs: HEALTHY "already" [], [];
        failed_logins: HEALTHY "already" [], [];
    }
}

mod healthy {
    use super::*;

    cases! {
        idle: HEALTHY "hard" [], [];
        load_peak: HEALTHY "hard" [], [];
        scary_logs: HEALTHY "hard" [], [];
        clean_deploy: HEALTHY "hard" [], [];
        backup: HEALTHY "hard" [], [];
        failed_logins: HEALTHY "hard" [], [];
    }
}

mod healthy_mild {
    use super::*;

    cases! {
        load_peak: HEALTHY "mild" [], [];
        clean_deploy: HEALTHY "mild" [], [];
        backup: HEALTHY "mild" [], [];
    }
}
