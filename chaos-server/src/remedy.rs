//! A person's consent to one plan, and its execution: what `approve` and `apply` do, whoever asks for it.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use chaos_core::{
    artifact::ArtifactName,
    audit::sha256_hex,
    chart::visible,
    clock::{Clock, SystemClock},
    error::Error,
    model::{
        Applied, Approval, Ending, EventType, FixPlan, Incident, IncidentId, RiskVerdict, RunOptions, SCHEMA_VERSION,
        Status, Step, StepKind,
    },
    pipeline::Pipeline,
    remediation::{self, Apply, applied_md, report_with},
    sinks::{Dir, Memory},
    transport::Transport,
};
use serde_json::json;

use crate::{
    commands::{read_incident, target::described},
    config::Seconds,
    exit::{Exit, Failure},
};

/// The agent in whose name this is traced.
const ME: &str = "FixerAgent";
/// Shortest part of a plan's hash that names it.
const SHORTEST: usize = 8;
const MAX_EXPIRY: Seconds = Seconds(24 * 3600);
/// Longest name of an approver and reason, in characters.
const MAX_NAME: usize = 100;
const MAX_REASON: usize = 2000;

/// What a person agrees to.
pub(crate) struct Consent {
    /// The plan's hash, or how it begins.
    pub(crate) plan: String,
    /// Who agrees.
    pub(crate) approver: String,
    /// Why.
    pub(crate) reason: String,
    /// For how long this is good.
    pub(crate) expires: Seconds,
    /// Whether what is dangerous is agreed to as well.
    pub(crate) dangerous: bool,
}

/// Approves a plan.
///
/// # Errors
/// Why it can't be approved.
pub(crate) fn approve(dir: &Dir, id: &IncidentId, consent: Consent) -> Result<(Approval, FixPlan), Failure> {
    let incident = over(dir, id)?;
    let plan = named(&incident, &consent.plan)?;
    if consent.approver.trim().is_empty() {
        return Err(Failure::usage("who approves? give a name with --by"));
    }
    if consent.reason.trim().is_empty() {
        return Err(Failure::usage("why? the reason (--reason) must say something"));
    }
    for (what, text, most) in [("name", &consent.approver, MAX_NAME), ("reason", &consent.reason, MAX_REASON)] {
        if text.chars().count() > most {
            return Err(Failure::usage(format!("the {what} is longer than {most} characters")));
        }
    }
    if consent.expires > MAX_EXPIRY || consent.expires == Seconds(0) {
        return Err(Failure::usage("an approval (--expires) must be good for at most 24h and more than nothing"));
    }
    let now = SystemClock::default().now();
    let approval = Approval {
        schema_version: SCHEMA_VERSION,
        plan_sha256: plan.plan_sha256.clone(),
        approver: consent.approver,
        reason: consent.reason,
        at: now,
        expires_at: now + Duration::from_secs(u64::from(consent.expires.0)),
        dangerous: consent.dangerous,
    };
    let risk = incident.risks.iter().find(|r| r.plan_sha256 == plan.plan_sha256);
    remediation::check(&approval, plan, risk, now)?;
    put(dir, id, "approval.json", &serde_json::to_vec_pretty(&approval).unwrap_or_default())?;
    dir.annotate(id, ME, EventType::Fix, approved(&approval), json!(approval)).map_err(|e| Failure::storage(&e))?;
    Ok((approval, plan.clone()))
}

/// An approval in one line.
pub(crate) fn approved(approval: &Approval) -> String {
    format!(
        "plan {} approved by {}, until {}: {}",
        &approval.plan_sha256[..12],
        approval.approver,
        approval.expires_at,
        approval.reason
    )
}

/// An approved plan that may be applied now.
pub(crate) struct Ready {
    id: IncidentId,
    incident: Incident,
    plan: FixPlan,
    approval: Approval,
    path: PathBuf,
}

/// Looks whether a plan of the incident is approved and may be applied.
///
/// # Errors
/// Why it may not.
pub(crate) fn ready(dir: &Dir, id: &IncidentId, dangerous: bool) -> Result<Ready, Failure> {
    let incident = over(dir, id)?;
    let path = dir.path(id).join("approval.json");
    cut_off(dir, id)?;
    let bytes = fs::read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            Exit::NotFound,
            format!("nobody has approved a plan of {id}; see its report, then: chaos-handler approve {id} --plan …"),
        ),
        _ => Failure::from(Error::storage("read the approval", &path, e)),
    })?;
    let approval: Approval = serde_json::from_slice(&bytes)
        .map_err(|e| Failure::new(Exit::Storage, format!("{} can't be understood: {e}", path.display())))?;
    let plan = named(&incident, &approval.plan_sha256)?.clone();
    let risk = incident.risks.iter().find(|r| r.plan_sha256 == plan.plan_sha256);
    if dir.path(id).join("applied.json").exists() {
        let text =
            format!("a plan of {id} was applied already, see applied.md; run again, and decide on what it shows");
        return Err(Failure::new(Exit::Conflict, text));
    }
    remediation::check(&approval, &plan, risk, SystemClock::default().now())?;
    if risk.is_none_or(|r| r.verdict == RiskVerdict::Dangerous) && !dangerous {
        return Err(Failure::usage(
            "the plan is dangerous: look at its risk in the report again, then add --dangerous",
        ));
    }
    Ok(Ready { id: id.clone(), incident, plan, approval, path })
}

/// The approval while its plan is applied; whoever applies it holds the file's lock.
const TAKEN: &str = ".approval.taken";

/// Whether a plan of the incident is being applied, by whatever process.
pub(crate) fn is_at_work(dir: &Dir, id: &IncidentId) -> bool {
    fs::File::open(dir.path(id).join(TAKEN)).is_ok_and(|taken| taken.try_lock().is_err())
}

/// Says so when an earlier application of this incident's plan did not come to its end, or is at work.
fn cut_off(dir: &Dir, id: &IncidentId) -> Result<(), Failure> {
    let Ok(taken) = fs::File::open(dir.path(id).join(TAKEN)) else { return Ok(()) };
    let text = match taken.try_lock() {
        Err(_) => format!("somebody else is applying the plan of {id}"),
        Ok(()) => format!(
            "the plan of {id} was being applied when that was cut off: trace.json has every step that was done, and \
             what was under way then may be done or not. Look at the target, then run again and decide on what it \
             shows"
        ),
    };
    Err(Failure::new(Exit::Conflict, text))
}

/// Applies an approved plan to its target, and tells each step as it is done. The error beside the outcome is of the
/// trace: not every step could be written there.
///
/// # Errors
/// Why nothing was done, or that its account could not be stored.
pub(crate) async fn apply(
    dir: &Dir,
    ready: Ready,
    host: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    say: impl Fn(&str) + Send + Sync,
) -> Result<(Applied, Option<Error>), Failure> {
    let Ready { id, incident, plan, approval, path } = ready;
    let id = &id;
    if host.target() != incident.target {
        let (there, here) = (described(&incident.target), described(&host.target()));
        return Err(Failure::usage(format!("the plan is for {there}, and this is {here}: name it with --target")));
    }
    // An approval is good for one application. Whoever takes it away applies it; all others find that it is gone.
    let taken = dir.path(id).join(TAKEN);
    let held = fs::File::open(&path).and_then(|file| file.lock().map(|()| file));
    fs::rename(&path, &taken).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(Exit::Conflict, format!("somebody else is applying the plan of {id}"))
        }
        _ => Failure::from(Error::storage("take the approval", &path, e)),
    })?;
    let begun = format!("plan {} is being applied", &plan.plan_sha256[..12]);
    dir.annotate(id, ME, EventType::Fix, begun, json!(approval)).map_err(|e| Failure::storage(&e))?;
    let mut lost = None;
    let mut hear = |step: &Step| {
        say(&told(step));
        // The trace has each step as it is done: what died midway can be read there.
        lost = dir.annotate(id, ME, EventType::Fix, told(step), json!(step)).err().or(lost.take());
    };
    let applying = Apply::new(host.clone(), clock.clone());
    let mut applied = match applying.run(&plan, approval, &mut hear).await {
        Ok(applied) => applied,
        Err(e) => {
            // Nothing was done: the approval is as good as before.
            let _ = fs::rename(&taken, &path);
            return Err(e.into());
        }
    };
    if applied.ending == Ending::Resolved {
        say(&format!("looking at the target for {} s, as before", incident.options.observe_s));
        look_again(&incident, host, clock, &mut applied).await;
        // Where something has come back the plan did its work, whatever else moves.
        let any_back = applied.compared.iter().any(|c| c.back);
        let worse: Vec<&str> = applied.compared.iter().filter(|c| c.is_worse()).map(|c| c.what.as_str()).collect();
        if !any_back && !worse.is_empty() {
            let why = format!("worse than before: {}", worse.join("; "));
            if let Err(e) = applying.undo(&plan, &mut applied, &why, &mut hear).await {
                applied.why = format!("{why}; and it could not be undone: {e}");
            }
        }
    }
    let report = dir.path(id).join("report.md");
    let report = fs::read_to_string(&report).map_err(|e| Error::storage("read the report", &report, e))?;
    let mut files = std::collections::BTreeMap::new();
    for (name, bytes) in [
        ("applied.json", serde_json::to_vec_pretty(&applied).unwrap_or_default()),
        ("applied.md", applied_md(id, &applied).into_bytes()),
        ("report.md", report_with(&report, &applied).into_bytes()),
    ] {
        put(dir, id, name, &bytes)?;
        files.insert(name, sha256_hex(&bytes));
    }
    // From here on a further application finds that there was one.
    let _ = fs::remove_file(&taken);
    drop(held);
    let data = json!({
        "ending": applied.ending, "in_force": applied.in_force, "by_hand": applied.by_hand, "files": files,
    });
    dir.annotate(id, ME, EventType::Fix, ended(&applied), data).map_err(|e| Failure::storage(&e))?;
    Ok((applied, lost))
}

/// How it ended, in one line.
pub(crate) fn ended(applied: &Applied) -> String {
    format!("{}: {}", applied.ending.as_str(), applied.why)
}

/// The same collectors once more: what was abnormal is compared with how it is now.
async fn look_again(incident: &Incident, host: Arc<dyn Transport>, clock: Arc<dyn Clock>, applied: &mut Applied) {
    let options = RunOptions { baseline_s: 0, ..incident.options.clone() };
    let since = clock.now();
    let pipeline = Pipeline::new(host, clock, Arc::new(Memory::default()), options);
    let again = async { pipeline.start().await?.outcome().await };
    let later = match again.await.map(|outcome| outcome.incident.observation) {
        Ok(Some(later)) => later,
        Ok(None) | Err(_) => {
            applied.ending = Ending::NotResolved;
            applied.why = "every step was done, and the target could not be looked at afterwards".into();
            return;
        }
    };
    applied.compared = remediation::compare(incident, &later, since);
    let odd = remediation::still_odd(&applied.compared).count();
    if odd > 0 {
        applied.ending = Ending::NotResolved;
        applied.why = format!("every step was done and every check holds, and {odd} of what was abnormal still is");
    }
}

fn told(step: &Step) -> String {
    let what = match step.kind {
        StepKind::Precondition => "must hold before",
        StepKind::Backup => "save",
        StepKind::Action => "do",
        StepKind::Verify => "must hold after",
        StepKind::Rollback => "undo",
    };
    let words: Vec<String> = step.argv.iter().map(|w| chaos_core::agents::shell_quote(w)).collect();
    let mark = if step.passed { "ok" } else { "FAILED" };
    visible(&format!("{}, {what}: {} ({}): {mark}", step.action, words.join(" "), step.ended))
}

/// The incident, which must be over.
fn over(dir: &Dir, id: &IncidentId) -> Result<Incident, Failure> {
    if dir.is_running(id) {
        return Err(Failure::new(Exit::Conflict, format!("{id} is still running")));
    }
    let incident = read_incident(dir, id)?;
    if incident.status != Status::Completed {
        let text = format!(
            "{id} is {}: only a plan of an incident that was seen through is applied",
            incident.status.as_str()
        );
        return Err(Failure::usage(text));
    }
    Ok(incident)
}

/// The plan whose hash begins so.
fn named<'a>(incident: &'a Incident, hash: &str) -> Result<&'a FixPlan, Failure> {
    let known = || -> Vec<&str> { incident.plans.iter().map(|p| p.plan_sha256.as_str()).collect() };
    if hash.len() < SHORTEST {
        return Err(Failure::usage(format!(
            "give at least {SHORTEST} characters of the plan's hash, as in the report"
        )));
    }
    let mut fit = incident.plans.iter().filter(|p| p.plan_sha256.starts_with(hash));
    match (fit.next(), fit.next()) {
        (Some(plan), None) => Ok(plan),
        _ => {
            let text = format!("no plan of {} is {}; there is: {}", incident.id, visible(hash), known().join(", "));
            Err(Failure::new(Exit::NotFound, text))
        }
    }
}

fn put(dir: &Dir, id: &IncidentId, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let name = ArtifactName::new(name)?;
    dir.put(id, &name, bytes).map_err(|e| Failure::storage(&e))
}
