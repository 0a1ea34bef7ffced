//! `fix.sh`: a plan as plain bash for a person to review. Owns the one place where words are quoted for a shell.
//! Text from the target (names of processes and files) reaches the script only quoted or, in comments and messages,
//! with every control character replaced.

use std::fmt::Write;

use crate::model::{Action, Check, Diagnosis, Expect, FixPlan, OnFailure, Timestamp};

/// A word as a POSIX shell reads it back unchanged. A shell can't hold NUL in a word; it is left out.
#[must_use]
pub fn shell_quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\0', "").replace('\'', "'\\''"))
}

fn command(argv: &[String]) -> String {
    argv.iter().map(|w| shell_quote(w)).collect::<Vec<_>>().join(" ")
}

/// Text on one line that can't leave a comment and shows no control or direction-changing characters.
fn one_line(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.chars().map(|c| if hidden(c) { ' ' } else { c }).take(400).collect()
}

const LIBRARY: &str = r#"
say() { printf '%s\n' "$*" >&2; }

# within SECONDS COMMAND...: tries once a second until it succeeds.
within() {
  local left=$1
  shift
  until "$@"; do
    if ((left <= 0)); then return 1; fi
    left=$((left - 1))
    sleep 1
  done
}

did=()
failed=()

# back_out: undoes what was done, the last first; nothing of it where a part can't be undone.
back_out() {
  local i n
  for ((i = ${#did[@]} - 1; i >= 0; i--)); do
    n=${did[i]}
    if ! declare -F "rollback_$n" >/dev/null; then
      say "action $n can't be undone, so nothing was; what can be, by hand:"
      declare -f | sed -n '/^rollback_/,/^}/p' >&2
      return
    fi
  done
  for ((i = ${#did[@]} - 1; i >= 0; i--)); do
    n=${did[i]}
    "rollback_$n" || { say "undoing action $n failed: look at it by hand"; return; }
    say "undone: action $n"
  done
}

# step N go_on|back_out NEEDED...: does action N where all that it needs was done. An action's status is 1 when nothing
# was changed and 2 when something may have been.
step() {
  local n=$1 then=$2 status=0 need
  shift 2
  for need; do
    case " ${failed[*]-} " in
      *" $need "*)
        say "action $n is left out: it needs action $need, which failed"
        failed+=("$n")
        return
        ;;
    esac
  done
  "action_$n" || status=$?
  if ((status == 0)); then
    did+=("$n")
    return
  fi
  say "action $n failed"
  failed+=("$n")
  if [[ $then == go_on ]]; then return; fi
  if ((status == 2)); then did+=("$n"); fi
  back_out
  exit "$status"
}
"#;

const PRINTS: &str = r#"
# prints TEXT COMMAND...: it prints exactly this, white space at both ends aside.
prints() {
  local want=$1 got
  shift
  got=$("$@" 2>/dev/null) || true
  got="${got#"${got%%[![:space:]]*}"}"
  got="${got%"${got##*[![:space:]]}"}"
  [[ $got == "$want" ]]
}
"#;

const HAS: &str = r#"
# has LINE COMMAND...: it succeeds, and this is a line of what it prints, white space at both ends aside.
has() {
  local got
  got=$("${@:2}" 2>/dev/null) && sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<<"$got" | grep -qxF -e "$1"
}
"#;

const LACKS: &str = r#"
# lacks LINE COMMAND...: it succeeds, and this is no line of what it prints.
lacks() {
  local got
  got=$("${@:2}" 2>/dev/null) && ! sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<<"$got" | grep -qxF -e "$1"
}
"#;

const FAILS: &str = r#"
fails() { ! "$@" >/dev/null 2>&1; }
"#;

/// The plan as a bash script; `incident` is the incident's id and `generated` when this is written.
#[must_use]
pub fn fix_sh(plan: &FixPlan, diagnosis: &Diagnosis, incident: &str, generated: Timestamp) -> String {
    let mut out = String::from("#!/usr/bin/env bash\n");
    let what = diagnosis.culprit.as_ref().map_or("not named", |c| c.summary.as_str());
    for line in [
        "NOT EXECUTED. A proposal for a person to review; nothing in it has been run.".to_owned(),
        String::new(),
        format!("Incident:   {incident}"),
        format!("Generated:  {generated}"),
        format!("Diagnosis:  {} ({})", diagnosis.title, diagnosis.confidence),
        format!("Culprit:    {what}"),
        format!("Plan:       {}", plan.summary),
        format!("Plan hash:  sha256 {}", plan.plan_sha256),
        String::new(),
        "How to run: read it, copy it to the target, then as root: bash fix.sh".to_owned(),
    ] {
        let _ = writeln!(out, "{}", format!("# {}", one_line(&line)).trim_end());
    }
    notes(&mut out, "Alternatives", &plan.alternatives);
    notes(&mut out, "Look at next", &plan.next_questions);
    out.push_str("#\n# Names of processes and files are meant letter by letter:\n# shellcheck disable=SC2016\n");
    out.push_str("\nset -euo pipefail\n");
    if plan.actions.is_empty() {
        let _ = writeln!(
            out,
            "\nprintf '%s\\n' {} >&2",
            shell_quote(&format!("Nothing to do: {}", one_line(&plan.summary)))
        );
        return out;
    }
    out.push_str(LIBRARY);
    let checks = || plan.actions.iter().flat_map(|a| a.preconditions.iter().chain(&a.verify));
    if checks().any(|c| matches!(c.expect, Expect::Prints(_))) {
        out.push_str(PRINTS);
    }
    if checks().any(|c| matches!(c.expect, Expect::Has(_))) {
        out.push_str(HAS);
    }
    if checks().any(|c| matches!(c.expect, Expect::Lacks(_))) {
        out.push_str(LACKS);
    }
    if checks().any(|c| c.expect == Expect::Failure) {
        out.push_str(FAILS);
    }
    for (n, action) in plan.actions.iter().enumerate() {
        write_action(&mut out, n + 1, action);
    }
    out.push('\n');
    for (n, action) in plan.actions.iter().enumerate() {
        call(&mut out, n + 1, action, plan);
    }
    out.push_str("((${#failed[@]} == 0))\n");
    out
}

fn notes(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "#\n# {title}:");
    for line in lines {
        let _ = writeln!(out, "#   - {}", one_line(line));
    }
}

fn check(check: &Check) -> String {
    let argv = command(&check.argv);
    let test = match &check.expect {
        Expect::Success => argv,
        Expect::Failure => format!("fails {argv}"),
        Expect::Prints(text) => format!("prints {} {argv}", shell_quote(text)),
        Expect::Has(line) => format!("has {} {argv}", shell_quote(line.trim())),
        Expect::Lacks(line) => format!("lacks {} {argv}", shell_quote(line.trim())),
    };
    let quiet = if check.expect == Expect::Success { " >/dev/null" } else { "" };
    format!("within {} {test}{quiet}", check.within_s)
}

fn write_checks(out: &mut String, checks: &[Check], failed: &str) {
    for c in checks {
        let message = shell_quote(&format!("{failed}: {}", one_line(&c.title)));
        let _ = writeln!(out, "  {} || {{ say {message}; return 1; }}", check(c));
    }
}

fn write_action(out: &mut String, n: usize, action: &Action) {
    let _ = writeln!(out, "\n# {n}. {}", one_line(&action.title));
    let _ = writeln!(out, "# Target:   {}", one_line(&action.target));
    let _ = writeln!(out, "# Why:      {}", one_line(&action.rationale));
    let _ = writeln!(out, "# Downtime: {}", one_line(&action.downtime));
    let _ = writeln!(out, "action_{n}() {{");
    let _ = writeln!(out, "  say {}", shell_quote(&format!("{n}. {}", one_line(&action.title))));
    write_checks(out, &action.preconditions, "does not hold, so nothing is done");
    for backup in &action.backup {
        let _ = writeln!(out, "  {} || return 1", command(backup));
    }
    match &action.shell {
        Some(line) => {
            let _ = writeln!(out, "  timeout {} bash -c {} || return 2", action.timeout_s, shell_quote(line));
        }
        // kill is a shell builtin as well, and not every host has it as a program that timeout could run.
        None if action.argv.first().is_some_and(|p| p == "kill") => {
            let _ = writeln!(out, "  {} || return 2", command(&action.argv));
        }
        None => {
            let _ = writeln!(out, "  timeout {} {} || return 2", action.timeout_s, command(&action.argv));
        }
    }
    for c in &action.verify {
        let message = shell_quote(&format!("not reached: {}", one_line(&c.title)));
        let _ = writeln!(out, "  {} || {{ say {message}; return 2; }}", check(c));
    }
    out.push_str("}\n");
    if !action.rollback.is_empty() {
        let _ = writeln!(out, "\nrollback_{n}() {{");
        for argv in &action.rollback {
            let _ = writeln!(out, "  {} || return 1", command(argv));
        }
        out.push_str("}\n");
    }
}

/// Calls an action, with what it needs to have succeeded before.
fn call(out: &mut String, n: usize, action: &Action, plan: &FixPlan) {
    let on_failure = if action.on_failure == OnFailure::Continue { "go_on" } else { "back_out" };
    let needs = action.depends_on.iter().filter_map(|id| plan.actions.iter().position(|a| a.id == *id));
    let needs: String = needs.map(|at| format!(" {}", at + 1)).collect();
    let _ = writeln!(out, "step {n} {on_failure}{needs}");
}
