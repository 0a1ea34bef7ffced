//! Native dry runs: how a command is tried out by asking the target, read-only, and what it would reach there.

use std::time::Duration;

use crate::{
    catalogue::reading,
    error::ErrorKind,
    host::ReadOnlyHost,
    model::{Action, Answer, Ask, End, Simulation},
};

const WITHIN: Duration = Duration::from_secs(10);
/// Lines of an answer that are told.
const TOLD: usize = 10;
/// Units that go down together with one: stop and restart propagate along these, not along WantedBy.
const PROPAGATES: [&str; 3] = ["RequiredBy", "BoundBy", "ConsistsOf"];
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
}

/// Tries out one action.
pub(super) async fn action(action: &Action, host: &ReadOnlyHost) -> Findings {
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
    let plain = |rest: &[&str]| -> Vec<String> {
        let end = rest.iter().position(|w| *w == "--");
        let is_value =
            |i: usize, w: &&&str| end.map_or(!w.starts_with('-'), |e| i > e || (i < e && !w.starts_with('-')));
        rest.iter().enumerate().filter(|(i, w)| is_value(*i, w)).map(|(_, w)| (*w).to_owned()).collect()
    };
    match words {
        ["kill", rest @ ..] => kill(&mut found, host, &plain(rest)).await,
        ["systemctl", rest @ ..] => match plain(rest).split_first() {
            Some((verb, units)) if matches!(verb.as_str(), "stop" | "restart" | "start" | "reload" | "try-restart") => {
                for unit in units {
                    self::unit(&mut found, host, verb, unit).await;
                }
            }
            _ => found.not_simulated.push("this verb of systemctl has no dry run".into()),
        },
        ["rm" | "unlink" | "truncate", rest @ ..] => files(&mut found, host, &plain(rest)).await,
        ["tc", "qdisc", "del" | "replace" | "change", rest @ ..] => qdisc(&mut found, host, rest).await,
        ["nginx", ..] => native(&mut found, host, vec!["nginx".into(), "-t".into()]).await,
        ["apt-get", rest @ ..] => {
            let rest = rest.iter().map(|w| (*w).to_owned());
            native(&mut found, host, ["apt-get".to_owned(), "-s".to_owned()].into_iter().chain(rest).collect()).await;
        }
        ["journalctl", ..] => native(&mut found, host, vec!["journalctl".into(), "--disk-usage".into()]).await,
        other => {
            let program = other.first().copied().unwrap_or_default().escape_debug().to_string();
            found.not_simulated.push(format!("`{program}` has no dry run that is known here"));
        }
    }
    found
}

fn strings(words: &[&str], more: &[String]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).chain(more.iter().cloned()).collect()
}

/// One line for a person, from an answer of the target.
fn line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect()
}

/// Asks; what can't be asked is said. `judge` tells from the answer whether the action would work, and what it shows.
async fn ask(
    found: &mut Findings,
    host: &ReadOnlyHost,
    argv: Vec<String>,
    judge: impl FnOnce(&Answer) -> (bool, String) + Send,
) -> Option<Answer> {
    let ask = Ask::run(argv.clone());
    match host.ask(ask.clone(), WITHIN).await {
        Ok((id, answer)) => {
            if let (Err(why), End::Failed(_) | End::Exited(126 | 127)) = (reading::readable(&answer), &answer.end) {
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
