use std::{io::Write, process::Command};

use proptest::prelude::*;

use super::{FixerAgent, fix_sh, shell_quote};
use crate::model::{
    Action, Confidence, Culprit, Diagnosis, Entity, EntityKind, Expect, FaultId, FixPlan, Hypothesis, OnFailure,
    Reversibility, Timestamp, Verdict,
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
        culprit: entity.map(|entity| Culprit { summary: entity.name.clone(), entity, basis: vec![] }),
        hypotheses: [hypothesis].into_iter().collect(),
        ..Diagnosis::new(verdict, fault, confidence)
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
fn who_would_begin_new_ones_is_ended_with_them_unless_it_is_a_session() {
    let clients = |command: &str, args: &str| {
        let of = process("psql", "812,813").with("spawner", "700").with("spawner_ppid", "650");
        of.with("spawner_command", command).with("spawner_args", args)
    };
    let script = clients("bash", "/bin/bash /srv/import-all");
    let p = plan("db_connections_exhausted", Some(script));
    assert_eq!(p.actions[0].argv.join(" "), "kill -TERM 700 812 813");
    let before: Vec<String> = p.actions[0].preconditions.iter().map(|c| c.argv.join(" ")).collect();
    assert_eq!(before, ["ps -o comm= -p 700", "ps -o comm= -p 812", "ps -o comm= -p 813"]);
    for (command, args) in [
        ("bash", "-bash"),
        ("sshd", "sshd: app@pts/0"),
        ("tmux: server", "tmux"),
        ("supervisord", "/usr/bin/supervisord -n"),
    ] {
        assert_eq!(argv("db_connections_exhausted", clients(command, args)), "kill -TERM 812 813", "{args}");
    }
    let in_unit = clients("import", "import").with("unit", "import.service");
    assert_eq!(argv("db_connections_exhausted", in_unit), "systemctl restart import.service");
}

fn blocked() -> Entity {
    let rule = "tcp dport 8070 counter drop";
    let of = Entity::new(EntityKind::Port, "8070").with("port", "8070").with("handle", "7").with("rule", rule);
    let of = of.with("family", "inet").with("table", "filter").with("chain", "input");
    of.with("put_back", format!("insert rule inet filter input {rule}"))
}

#[test]
fn a_rule_of_a_packet_filter_is_deleted_by_its_handle_and_can_be_put_back() {
    let p = plan("firewall_drop", Some(blocked()));
    let action = &p.actions[0];
    assert_eq!(action.argv.join(" "), "nft delete rule inet filter input handle 7");
    assert_eq!(action.rollback, [["nft", "insert rule inet filter input tcp dport 8070 counter drop"]]);
    let line = "tcp dport 8070 counter drop # handle 7";
    assert_eq!(action.preconditions[0].expect, Expect::Has(line.into()));
    assert_eq!(action.verify[0].expect, Expect::Lacks(line.into()));
    assert!(plan("firewall_drop", Some(blocked().with("put_back", "flush ruleset"))).actions.is_empty());

    // What the script asks before and after.
    let text = script("firewall_drop", Some(blocked()));
    let functions = text.split("\n# 1. ").next().unwrap();
    let chain = format!("chain input {{\\n\\t\\t{line}  \\n}}\\n");
    for (call, holds) in [
        (format!("has '{line}' printf '{chain}'"), true),
        (format!("has 'tcp dport 8070' printf '{chain}'"), false),
        (format!("lacks '{line}' printf '{chain}'"), false),
        ("lacks x printf '\\tx y\\n'".to_owned(), true),
        ("lacks x false".to_owned(), false),
        ("has x false".to_owned(), false),
    ] {
        let text = format!("{functions}\nset +e\n{call}\n");
        assert_eq!(Command::new("bash").args(["-c", &text]).status().unwrap().success(), holds, "{call}");
    }
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
        script("firewall_drop", Some(blocked())),
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

#[test]
fn what_stood_in_the_way_goes_first_and_then_the_service_is_started() {
    let holder = || process("perl", "812").with("unit", "preview.service");
    let p = plan("port_taken", Some(holder().with("waiting", "nginx.service")));
    let argv: Vec<String> = p.actions.iter().map(|a| a.argv.join(" ")).collect();
    assert_eq!(argv, ["systemctl stop preview.service", "systemctl start nginx.service"]);
    assert_eq!(p.actions[1].depends_on, ["stop-holding-unit"]);
    assert!(p.summary.contains("Stop preview.service, then: Start nginx.service"), "{}", p.summary);
    assert!(p.alternatives[0].contains("likely to help, can't be undone"), "{:?}", p.alternatives);
    // Without one that waits, or where it must not be touched, the first step stands by itself.
    assert_eq!(plan("port_taken", Some(holder())).actions.len(), 1);
    assert_eq!(plan("port_taken", Some(holder().with("waiting", "ssh.service"))).actions.len(), 1);
}

/// Id, command, what undoes it, what if it fails, and what it needs.
type Told = (&'static str, &'static str, Option<&'static str>, OnFailure, &'static [&'static str]);

/// A plan of commands that write what they do into a file; the script's exit code, and what it wrote.
fn ran(actions: &[Told]) -> (Option<i32>, String) {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let sh = |line: &str| ["sh", "-c", line].map(str::to_owned).to_vec();
    let template = plan("service_down", Some(Entity::new(EntityKind::Unit, "n").with("unit", "nginx.service")));
    let action = |(id, line, undo, on_failure, needs): &Told| Action {
        id: (*id).to_owned(),
        argv: sh(line),
        rollback: undo.iter().map(|line| sh(line)).collect(),
        on_failure: *on_failure,
        depends_on: needs.iter().map(|n| (*n).to_owned()).collect(),
        preconditions: vec![],
        verify: vec![],
        backup: vec![],
        ..template.actions[0].clone()
    };
    let plan = FixPlan { actions: actions.iter().map(action).collect(), ..FixPlan::default() }.sealed();
    let text = fix_sh(&plan, &diagnosis("service_down", None), "inc-20261124-001", Timestamp(0));
    let script = place.path().join("fix.sh");
    std::fs::write(&script, &text).unwrap();
    let status = Command::new("bash").arg(&script).env("LOG", &log).output().unwrap();
    (status.status.code(), std::fs::read_to_string(&log).unwrap_or_default().replace('\n', " "))
}

#[test]
fn the_script_undoes_what_was_done_in_reverse_as_apply_does() {
    use OnFailure::{Abort, Continue, Rollback};
    let (first, second) = ("echo 1 >>$LOG", "echo 2 >>$LOG");
    let (undo_1, undo_2) = (Some("echo u1 >>$LOG"), Some("echo u2 >>$LOG"));
    assert_eq!(
        ran(&[("a", first, undo_1, Abort, &[]), ("b", second, undo_2, Abort, &["a"])]),
        (Some(0), "1 2 ".into())
    );
    let fails = "echo 2 >>$LOG; exit 1";
    let failed = ran(&[("a", first, undo_1, Abort, &[]), ("b", fails, undo_2, Rollback, &[])]);
    assert_eq!(failed, (Some(2), "1 2 u2 u1 ".into()));
    // Where a part can't be undone nothing is.
    let stays = ran(&[("a", first, None, Abort, &[]), ("b", fails, undo_2, Rollback, &[])]);
    assert_eq!(stays, (Some(2), "1 2 ".into()));
    // What needs one that failed is left out, and the script says so by its status.
    let goes_on = ran(&[
        ("a", "exit 1", None, Continue, &[]),
        ("b", second, None, Continue, &["a"]),
        ("c", "echo 3 >>$LOG", None, Continue, &[]),
    ]);
    assert_eq!(goes_on, (Some(1), "3 ".into()));
}
