//! Native dry runs: how a command is tried out by asking the target, read-only, and what it would reach there.

use std::time::Duration;

use crate::{
    catalogue::reading,
    error::ErrorKind,
    host::ReadOnlyHost,
    model::{Action, ActionRisk, Answer, Ask, Command, End, FixPlan, Rehearsed, RiskLevel, RiskVerdict, Simulation},
    rehearsal,
};

use super::ripple::{self, Ground};

pub(super) const WITHIN: Duration = Duration::from_secs(10);
/// Lines of an answer that are told.
pub(super) const TOLD: usize = 10;
/// Units that go down together with one: stop and restart propagate along these, not along WantedBy.
const PROPAGATES: [&str; 3] = ["RequiredBy", "BoundBy", "ConsistsOf"];
const VERBS: [&str; 8] = ["stop", "restart", "start", "reload", "try-restart", "kill", "thaw", "set-property"];
const UNIT_PROPERTIES: &str = "LoadState,ActiveState,CanReload,RequiredBy,BoundBy,ConsistsOf,WantedBy,TriggeredBy";

/// What a rehearsal found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) simulated: Vec<Simulation>,
    pub(super) not_simulated: Vec<String>,
    /// What else would be hit, in words.
    pub(super) touches: Vec<String>,
    /// Whether other services go down with it.
    pub(super) ripples: bool,
    /// Open connections that it would cut; `None` where that is not known or does not apply.
    pub(super) connections: Option<u32>,
    /// Whether our own way to the target goes through what it ends.
    pub(super) ours: bool,
}

/// Tries out one action. `ground` is shared by the actions of a plan.
pub(super) async fn action(action: &Action, host: &ReadOnlyHost, ground: &mut Option<Ground>) -> Findings {
    let mut found = Findings::default();
    if action.shell.is_some() {
        found.not_simulated.push("a shell line has no dry run".into());
        return found;
    }
    let words: Vec<&str> = action.argv.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["sudo", "-n", rest @ ..] | ["sudo", rest @ ..] => rest,
        all => all,
    };
    ripple::of(&mut found, host, ground, words).await;
    let plain = |rest: &[&str]| -> Vec<String> {
        let end = rest.iter().position(|w| *w == "--");
        let is_value =
            |i: usize, w: &&&str| end.map_or(!w.starts_with('-'), |e| i > e || (i < e && !w.starts_with('-')));
        rest.iter().enumerate().filter(|(i, w)| is_value(*i, w)).map(|(_, w)| (*w).to_owned()).collect()
    };
    match words {
        ["kill", rest @ ..] => kill(&mut found, host, &plain(rest)).await,
        ["systemctl", rest @ ..] => match plain(rest).split_first() {
            Some((verb, units)) if VERBS.contains(&verb.as_str()) => {
                // Of a property only the unit is a unit.
                let units = if verb == "set-property" { &units[..units.len().min(1)] } else { units };
                for unit in units {
                    self::unit(&mut found, host, verb, unit).await;
                }
            }
            _ => found.not_simulated.push("this verb of systemctl has no dry run".into()),
        },
        ["rm" | "unlink" | "truncate", rest @ ..] => files(&mut found, host, &plain(rest)).await,
        ["tc", "qdisc", "del" | "replace" | "change", rest @ ..] => qdisc(&mut found, host, rest).await,
        ["nginx", ..] => native(&mut found, host, vec!["nginx".into(), "-t".into()]).await,
        // What they would do beside is asked as it is.
        ["apt-get" | "apt" | "dpkg" | "umount", ..] if !found.simulated.is_empty() => {}
        ["sysctl", "-w", set @ ..] => sysctl(&mut found, host, set).await,
        ["renice" | "ionice" | "prlimit" | "chrt" | "taskset", rest @ ..] => pids(&mut found, host, rest).await,
        ["iptables" | "ip6tables", "-D", rule @ ..] => {
            let argv = strings(&[words[0], "-C"], &rule.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
            elevated(&mut found, host, argv, |a| match a.end.is_success() {
                true => (true, "the rule is there".into()),
                false => (false, "there is no such rule".into()),
            })
            .await;
        }
        ["mount", rest @ ..] if rest.iter().any(|w| w.contains("remount")) => {
            let at = rest.iter().filter(|w| w.starts_with('/')).map(|w| (*w).to_owned()).collect::<Vec<_>>();
            ask(&mut found, host, strings(&["findmnt", "-rn", "-o", "TARGET,SOURCE,FSTYPE,OPTIONS"], &at), |a| {
                (a.end.is_success(), line(a.stdout.lines().next().unwrap_or("nothing is mounted there")))
            })
            .await;
        }
        ["ip", "link", "set", rest @ ..] => {
            let named = rest.iter().find(|w| !matches!(**w, "dev" | "up" | "down")).copied().unwrap_or_default();
            ask(&mut found, host, strings(&["ip", "-o", "link", "show", "dev", named], &[]), |a| {
                (a.end.is_success(), line(a.stdout.lines().next().unwrap_or("there is no such interface")))
            })
            .await;
        }
        ["chronyc", "makestep"] => {
            ask(&mut found, host, strings(&["chronyc", "-n", "tracking"], &[]), |a| {
                let offset = a.stdout.lines().find(|l| l.starts_with("System time"));
                (a.end.is_success(), line(offset.unwrap_or("chrony says nothing of the clock")))
            })
            .await;
        }
        ["journalctl", ..] => native(&mut found, host, vec!["journalctl".into(), "--disk-usage".into()]).await,
        other => {
            let program = other.first().copied().unwrap_or_default().escape_debug().to_string();
            found.not_simulated.push(format!("`{program}` has no dry run that is known here"));
        }
    }
    found
}

/// Does the plan in a sandbox on the target. A command that fails there makes its action one to look at again.
pub(super) async fn sandboxed(plan: &FixPlan, host: &ReadOnlyHost, actions: &mut [ActionRisk]) -> Option<Rehearsed> {
    let steps = rehearsal::steps(plan);
    if steps.is_empty() {
        return None;
    }
    let rehearsed = match host.rehearse(&steps).await {
        Ok(rehearsed) => rehearsed,
        Err(why) => {
            let unable = match why.kind() {
                ErrorKind::NotRecorded => "it was not recorded".to_owned(),
                _ => why.to_string(),
            };
            Rehearsed { unable: Some(unable), ..Rehearsed::default() }
        }
    };
    for risk in actions {
        if rehearsed.steps.iter().any(|s| s.action == risk.action && !s.passed) {
            risk.level = risk.level.max(RiskLevel::Medium);
            risk.verdict = risk.verdict.max(RiskVerdict::NeedsApproval);
        }
    }
    Some(rehearsed)
}

pub(super) fn strings(words: &[&str], more: &[String]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).chain(more.iter().cloned()).collect()
}

/// One line for a person, from an answer of the target.
pub(super) fn line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect()
}

/// Asks; what can't be asked is said. `judge` tells from the answer whether the action would work, and what it shows.
pub(super) async fn ask(
    found: &mut Findings,
    host: &ReadOnlyHost,
    argv: Vec<String>,
    judge: impl FnOnce(&Answer) -> (bool, String) + Send,
) -> Option<Answer> {
    judged(found, host, Command::new(argv), judge).await
}

/// The same for what only root may ask.
async fn elevated(
    found: &mut Findings,
    host: &ReadOnlyHost,
    argv: Vec<String>,
    judge: impl FnOnce(&Answer) -> (bool, String) + Send,
) -> Option<Answer> {
    judged(found, host, Command { elevate: host.capabilities().elevate, ..Command::new(argv) }, judge).await
}

/// What a question prints, or why that is not known.
pub(super) async fn look(host: &ReadOnlyHost, ask: Ask) -> Result<String, String> {
    match host.ask(ask, WITHIN).await {
        Ok((_, answer)) if !answer.stdout.is_empty() => Ok(answer.stdout),
        Ok((_, answer)) => {
            reading::readable(&answer, false).map(|()| String::new()).map_err(|why| line(&why.to_string()))
        }
        Err(why) if why.kind() == ErrorKind::NotRecorded => Err("it was not recorded".to_owned()),
        Err(why) => Err(line(&why.to_string())),
    }
}

async fn judged(
    found: &mut Findings,
    host: &ReadOnlyHost,
    command: Command,
    judge: impl FnOnce(&Answer) -> (bool, String) + Send,
) -> Option<Answer> {
    let argv = command.argv.clone();
    let ask = Ask::Run(command);
    match host.ask(ask.clone(), WITHIN).await {
        Ok((id, answer)) => {
            if let (Err(why), End::Failed(_) | End::Exited(126 | 127)) =
                (reading::readable(&answer, false), &answer.end)
            {
                found.not_simulated.push(format!("`{ask}` could not be tried: {why}"));
                return None;
            }
            let (passed, shows) = judge(&answer);
            found.simulated.push(Simulation { argv, passed, shows, answer: id });
            Some(answer)
        }
        Err(why) => {
            let said = match why.kind() {
                ErrorKind::NotRecorded => "was not recorded".to_owned(),
                ErrorKind::Refused => format!("is not a read-only question: {why}"),
                _ => format!("could not be tried: {why}"),
            };
            found.not_simulated.push(format!("`{ask}` {said}"));
            None
        }
    }
}

async fn native(found: &mut Findings, host: &ReadOnlyHost, argv: Vec<String>) {
    ask(found, host, argv, |a| {
        let said = if a.stdout.trim().is_empty() { &a.stderr } else { &a.stdout };
        (a.end.is_success(), line(said.trim().lines().last().unwrap_or("it printed nothing")))
    })
    .await;
}

async fn kill(found: &mut Findings, host: &ReadOnlyHost, pids: &[String]) {
    if pids.is_empty() || !pids.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit())) {
        found.not_simulated.push("the processes can't be told from the command".into());
        return;
    }
    for pid in pids {
        ask(found, host, strings(&["kill", "-0"], std::slice::from_ref(pid)), |a| {
            let ok = a.end.is_success();
            (ok, format!("process {pid} {}", if ok { "is there and may be signalled" } else { "is gone or not ours" }))
        })
        .await;
    }
    let joined = pids.join(",");
    let listed = |a: &Answer| (true, format!("{} processes", a.stdout.lines().count()));
    if let Some(a) = ask(found, host, strings(&["ps", "-ww", "-o", "pid=,args=", "-p", &joined], &[]), listed).await {
        found.touches.extend(a.stdout.lines().take(TOLD).map(|l| format!("signalled: {}", line(l))));
    }
    if let Some(a) = ask(found, host, strings(&["ps", "-ww", "-o", "pid=,args=", "--ppid", &joined], &[]), listed).await
    {
        let children = a.stdout.lines().filter(|l| !l.trim().is_empty()).take(TOLD);
        found.touches.extend(children.map(|l| format!("child that loses its parent: {}", line(l))));
    }
}

async fn unit(found: &mut Findings, host: &ReadOnlyHost, verb: &str, unit: &str) {
    let argv = strings(&["systemctl", "show", "-p", UNIT_PROPERTIES, unit], &[]);
    let get = |a: &Answer, key: &str| -> String {
        let value = a.stdout.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line(value.unwrap_or(""))
    };
    let answer = ask(found, host, argv, |a| {
        let (load, active) = (get(a, "LoadState"), get(a, "ActiveState"));
        let can = verb != "reload" || get(a, "CanReload") == "yes";
        let why = if can { "" } else { ", and it can't reload" };
        (a.end.is_success() && load == "loaded" && can, format!("{unit} is {load} and {active}{why}"))
    })
    .await;
    let Some(answer) = answer else { return };
    if verb == "restart" && get(&answer, "CanReload") == "yes" {
        found.touches.push(format!("{unit} can reload: where only its configuration changed, that cuts no connection"));
    }
    if matches!(verb, "stop" | "restart" | "try-restart") {
        for property in PROPAGATES {
            for dependant in get(&answer, property).split_whitespace().take(TOLD) {
                // Targets group units; stopping one of a target's requirements takes no service down by itself.
                if !dependant.ends_with(".target") {
                    found.ripples = true;
                    found.touches.push(format!("{dependant} goes down with {unit} ({property})"));
                }
            }
        }
    }
    if verb == "stop" {
        for trigger in get(&answer, "TriggeredBy").split_whitespace().take(TOLD) {
            found.touches.push(format!("{trigger} may start {unit} again"));
        }
    }
}

async fn files(found: &mut Findings, host: &ReadOnlyHost, arguments: &[String]) {
    let paths: Vec<String> = arguments.iter().filter(|a| a.starts_with('/')).cloned().collect();
    if paths.is_empty() || paths.len() != arguments.len() {
        found.not_simulated.push("the files can't be told from the command".into());
        return;
    }
    let wanted = paths.len();
    ask(found, host, strings(&["ls", "-ld", "--"], &paths), |a| {
        let there = a.stdout.lines().filter(|l| !l.trim().is_empty()).count();
        (a.end.is_success(), format!("{there} of {wanted} are there"))
    })
    .await;
    let sizes = ask(found, host, strings(&["du", "-sk", "--"], &paths), |a| {
        let kib = |l: &str| l.split_whitespace().next().and_then(|w| w.parse::<u64>().ok());
        let total: u64 = a.stdout.lines().filter_map(kib).fold(0, u64::saturating_add);
        (a.end.is_success(), format!("{total} KiB in all"))
    })
    .await;
    if let Some(a) = sizes {
        found.touches.extend(a.stdout.lines().take(TOLD).map(|l| format!("removed or emptied (KiB): {}", line(l))));
    }
}

async fn sysctl(found: &mut Findings, host: &ReadOnlyHost, set: &[&str]) {
    for (key, _) in set.iter().filter_map(|w| w.split_once('=')) {
        ask(found, host, strings(&["sysctl", "-n", key], &[]), |a| {
            (a.end.is_success(), format!("{} is {} now", line(key), line(&a.stdout)))
        })
        .await;
    }
}

/// Processes that get another priority or limit.
async fn pids(found: &mut Findings, host: &ReadOnlyHost, rest: &[&str]) {
    let of = |w: &&str| w.split([',', '=']).filter(|p| p.len() > 1 && p.bytes().all(|b| b.is_ascii_digit())).count();
    let after = rest.iter().position(|w| matches!(*w, "-p" | "--pid")).map_or(&[][..], |at| &rest[at + 1..]);
    let named: Vec<&str> = after.iter().copied().filter(|w| of(w) > 0 && !w.starts_with('-')).collect();
    if named.is_empty() {
        found.not_simulated.push("the processes can't be told from the command".into());
        return;
    }
    let joined = named.join(",");
    ask(found, host, strings(&["ps", "-ww", "-o", "pid=,ni=,args=", "-p", &joined], &[]), |a| {
        (a.end.is_success(), format!("{} processes: {}", a.stdout.lines().count(), line(&a.stdout)))
    })
    .await;
}

async fn qdisc(found: &mut Findings, host: &ReadOnlyHost, rest: &[&str]) {
    let Some(interface) = rest.iter().position(|w| *w == "dev").and_then(|at| rest.get(at + 1)) else {
        found.not_simulated.push("the interface can't be told from the command".into());
        return;
    };
    let answer = ask(found, host, strings(&["tc", "qdisc", "show", "dev", interface], &[]), |a| {
        (a.end.is_success() && !a.stdout.trim().is_empty(), line(a.stdout.lines().next().unwrap_or("nothing is set")))
    })
    .await;
    if answer.is_some() {
        found.touches.push(format!("all traffic over {}", line(interface)));
    }
}
