use std::{io::Write, process::Command};

use proptest::prelude::*;

use super::{FixerAgent, fix_sh, shell_quote};
use crate::model::{
    Confidence, Culprit, Diagnosis, Entity, EntityKind, FaultId, FixPlan, Hypothesis, Reversibility, Timestamp, Verdict,
};

fn diagnosis(fault: &str, entity: Option<Entity>) -> Diagnosis {
    let verdict = match fault {
        "healthy" => Verdict::Healthy,
        "unknown" => Verdict::Unknown,
        id => Verdict::Fault(FaultId(id.into())),
    };
    let confidence = Confidence::new(0.97);
    let hypothesis = Hypothesis {
        verdict: verdict.clone(),
        title: fault.into(),
        posterior: confidence,
        basis: vec![],
        against: vec![],
    };
    Diagnosis {
        verdict,
        title: fault.into(),
        confidence,
        culprit: entity.map(|entity| Culprit { summary: entity.name.clone(), entity, basis: vec![] }),
        hypotheses: [hypothesis].into_iter().collect(),
        steps: vec![],
        changes: Vec::new(),
        limits: vec![],
    }
}

fn process(name: &str, pids: &str) -> Entity {
    let first = pids.split(',').next().unwrap();
    Entity::new(EntityKind::Process, name).with("command", name).with("pid", first).with("pids", pids)
}

fn file(path: &str) -> Entity {
    Entity::new(EntityKind::File, path).with("path", path).with("files", path).with("mountpoint", "/")
}

fn plan(fault: &str, entity: Option<Entity>) -> FixPlan {
    FixerAgent::default().plan(&diagnosis(fault, entity))
}

fn argv(fault: &str, entity: Entity) -> String {
    plan(fault, Some(entity)).actions.first().map_or(String::new(), |a| a.argv.join(" "))
}

#[test]
fn each_fault_has_its_smallest_remedy() {
    assert_eq!(argv("cpu_saturation", process("worker", "812,813")), "kill -TERM 812 813");
    assert_eq!(argv("memory_leak", process("app", "9").with("unit", "app.service")), "systemctl restart app.service");
    let transient = process("app", "9").with("unit", "run-u1.service").with("transient", "/run/systemd/transient/x");
    assert_eq!(argv("cpu_saturation", transient), "systemctl stop run-u1.service");
    assert_eq!(argv("disk_space", file("/var/log/app.log")), "truncate --size=0 -- /var/log/app.log");
    assert_eq!(argv("disk_space", file("/tmp/big file")), "rm -- /tmp/big file");
    let qdisc = Entity::new(EntityKind::Interface, "eth0").with("interface", "eth0").with("qdisc", "netem");
    assert_eq!(argv("network_latency", qdisc), "tc qdisc del dev eth0 root");
    let unit = Entity::new(EntityKind::Unit, "nginx.service").with("unit", "nginx.service");
    assert_eq!(argv("service_down", unit), "systemctl restart nginx.service");
}

#[test]
fn every_process_is_checked_before_and_after() {
    let p = plan("cpu_saturation", Some(process("worker", "812,813")));
    let action = &p.actions[0];
    assert_eq!(action.preconditions.len(), 2);
    assert_eq!(action.preconditions[1].argv.join(" "), "ps -o comm= -p 813");
    assert_eq!(action.verify[1].argv.join(" "), "kill -0 813");
    assert_eq!(action.cites.len(), 1);
    assert_eq!(p.plan_sha256.len(), 64);
    assert_eq!(plan("disk_space", Some(file("/tmp/x"))).actions[0].reversibility, Reversibility::None);
}

#[test]
fn what_must_not_be_touched_becomes_a_question() {
    for (fault, entity) in [
        ("cpu_saturation", process("sshd", "700")),
        ("cpu_saturation", process("x", "1")),
        ("memory_leak", process("systemd-journald", "300")),
        ("memory_leak", process("x", "7;reboot")),
        ("disk_space", file("/etc/passwd")),
        ("disk_space", file("/var/lib/mysql/ibdata1")),
        ("disk_space", file("-rf")),
        ("disk_space", Entity::new(EntityKind::Filesystem, "/").with("mountpoint", "/")),
        ("service_down", Entity::new(EntityKind::Unit, "x").with("unit", "ssh.service")),
    ] {
        let name = entity.name.clone();
        let p = plan(fault, Some(entity));
        assert!(p.actions.is_empty() && !p.next_questions.is_empty(), "{fault} {name}: {p:#?}");
    }
}

#[test]
fn a_job_in_a_protected_unit_is_ended_alone() {
    assert_eq!(argv("cpu_saturation", process("job", "9").with("unit", "cron.service")), "kill -TERM 9");
}

#[test]
fn no_cause_means_no_action() {
    let healthy = plan("healthy", None);
    assert_eq!((healthy.summary.as_str(), healthy.actions.len()), ("no action", 0));
    for fault in ["unknown", "memory_leak"] {
        let p = plan(fault, None);
        assert!(p.actions.is_empty() && !p.next_questions.is_empty());
    }
}

fn script(fault: &str, entity: Option<Entity>) -> String {
    let d = diagnosis(fault, entity);
    fix_sh(&FixerAgent::default().plan(&d), &d, "inc-20261124-001", Timestamp(0))
}

const HOSTILE: &str = "x\nrm -rf /\r\u{1b}[2J $(id) `id` '\" # \u{202e}";

fn scripts() -> Vec<String> {
    vec![
        script("cpu_saturation", Some(process("it's $(id)", "812,813"))),
        script("memory_leak", Some(process("app", "9").with("unit", "app.service"))),
        script("disk_space", Some(file("/tmp/a;rm -rf $HOME '\"`id`"))),
        script("disk_space", Some(file("/var/log/app.log"))),
        script("service_down", Some(Entity::new(EntityKind::Unit, "n").with("unit", "nginx.service"))),
        script(
            "network_latency",
            Some(Entity::new(EntityKind::Interface, HOSTILE).with("interface", "eth0").with("qdisc", "netem")),
        ),
        script("cpu_saturation", Some(process(HOSTILE, "5"))),
        script("healthy", None),
        script("unknown", None),
    ]
}

#[test]
fn the_script_says_that_it_was_not_executed_and_holds_no_control_characters() {
    for text in scripts() {
        assert!(text.lines().nth(1).unwrap().starts_with("# NOT EXECUTED"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.lines().any(|l| l.starts_with("rm -rf")), "{text}");
        let checked = Command::new("bash").args(["-n", "-c", &text]).output().unwrap();
        assert!(checked.status.success(), "{}\n{text}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if Command::new("shellcheck").arg("--version").output().is_err() {
        eprintln!("skipped: shellcheck is not installed");
        assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI");
        return;
    }
    for text in scripts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let out = Command::new("shellcheck").args(["-s", "bash"]).arg(file.path()).output().unwrap();
        assert!(out.status.success(), "{}\n{text}", String::from_utf8_lossy(&out.stdout));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn bash_reads_every_word_back_unchanged(words in prop::collection::vec("[^\\x00]{0,20}", 1..6)) {
        let line = words.iter().map(|w| shell_quote(w)).collect::<Vec<_>>().join(" ");
        let out = Command::new("bash").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        let expected: String = words.iter().map(|w| format!("{w}\0")).collect();
        prop_assert_eq!(String::from_utf8_lossy(&out.stdout), expected);
    }
}
