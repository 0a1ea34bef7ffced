//! `GET /incidents/{id}`: what is known of one incident, without what was seen: that is in its files.

use std::{fs, path::Path, sync::Arc};

use axum::{extract::State, response::Response};
use chaos_core::{
    agents::shell_quote,
    chart::visible,
    error::ErrorKind,
    model::{
        Applied, Approval, Diagnosis, Finding, FixPlan, IncidentId, Injection, Ledger, Recovery, RiskAssessment, Status,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{existing, files, json, standing, status, target, unknown, word};
use crate::server::{Server, input::Id, past, problem::Problem, runs::Request};

/// What is read of `incident.json`.
#[derive(Default, Deserialize)]
struct Stored {
    #[serde(default)]
    findings: Ledger<Finding>,
    diagnosis: Option<Diagnosis>,
    #[serde(default)]
    plans: Vec<FixPlan>,
    #[serde(default)]
    risks: Vec<RiskAssessment>,
    injection: Option<Injection>,
    #[serde(default)]
    errors: Vec<String>,
}

pub(in crate::server) async fn detail(State(server): State<Arc<Server>>, Id(id): Id) -> Result<Response, Problem> {
    existing(&server, &id)?;
    let files = files::all(&server, &id).await?;
    let read = tokio::task::spawn_blocking(move || view(&server, &id));
    let mut view = read.await.map_err(|_| Problem::new(ErrorKind::Internal, "a reader was lost"))??;
    view["files"] = json!(files);
    Ok(json(&view))
}

fn view(server: &Server, id: &IncidentId) -> Result<Value, Problem> {
    let dir = server.dir.path(id);
    let head = server.past.head(&server.dir, id).ok_or_else(|| unknown(id))?;
    let request = Request::of(&server.dir, id);
    let live = server.runs.get(id);
    let told = server.past.trace(&server.dir, id);
    let (status, phase, reason) = match &live {
        Some(live) => {
            let state = live.state();
            (word(state.stage), status::phase(state.stage, &state.told), state.reason.clone())
        }
        None => (standing(server, id, &head), told.phase().as_str(), head.reason.clone()),
    };
    let over = live.is_none() && head.status != Status::Running;
    let stored: Stored = past::read(&dir.join("incident.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let risk_of = |plan: &FixPlan| stored.risks.iter().find(|r| r.plan_sha256 == plan.plan_sha256);
    let mut findings: Vec<_> = stored.findings.iter().map(|(_, f)| f).collect();
    findings.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(json!({
        "incident_id": id,
        "status": status,
        "phase": phase,
        "reason": reason,
        "target": target(request.as_ref(), &head),
        "scenario": status::scenario(&head, request.as_ref()),
        "began": head.began,
        "ended": status::ended(&head, &told).filter(|_| over),
        "diagnosis": stored.diagnosis.as_ref().map(|d| json!({
            "fault": d.verdict.id(), "title": d.title, "confidence": d.confidence,
            "culprit": d.culprit.as_ref().map(|c| &c.summary),
        })),
        "hypotheses": stored.diagnosis.iter().flat_map(|d| d.hypotheses.iter()).take(10).map(|(_, h)| json!({
            "fault": h.verdict.id(), "title": h.title, "posterior": h.posterior,
        })).collect::<Vec<_>>(),
        "findings": findings.iter().map(|f| json!({
            "agent": f.agent, "summary": f.summary, "score": f.score, "onset": f.onset,
        })).collect::<Vec<_>>(),
        "plans": stored.plans.iter().map(|p| plan(p, risk_of(p))).collect::<Vec<_>>(),
        "approval": stored_json::<Approval>(&dir.join("approval.json")).map(|a| approval(&a)),
        "applied": stored_json::<Applied>(&dir.join("applied.json")).map(|a| applied(&a)),
        "injection": stored.injection.as_ref().filter(|_| over).map(injection),
        "confirmed": server.dir.confirmation(id).ok().flatten().map(|c| c.verdict.id().to_owned()),
        "errors": stored.errors,
    }))
}

fn stored_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn line(argv: &[String]) -> String {
    argv.iter().map(|w| shell_quote(w)).collect::<Vec<_>>().join(" ")
}

fn plan(plan: &FixPlan, risk: Option<&RiskAssessment>) -> Value {
    let actions: Vec<_> = plan
        .actions
        .iter()
        .map(|a| {
            json!({
                "id": a.id, "title": a.title, "target": a.target,
                "command": a.shell.clone().unwrap_or_else(|| line(&a.argv)),
                "rationale": a.rationale, "confidence": a.confidence, "reversibility": a.reversibility,
                "downtime": a.downtime,
                "rollback": a.rollback.iter().map(|argv| line(argv)).collect::<Vec<_>>(),
                "verify": a.verify.iter().map(|c| format!("{}: {}", c.title, line(&c.argv))).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "plan_sha256": plan.plan_sha256, "summary": plan.summary, "actions": actions,
        "alternatives": plan.alternatives, "next_questions": plan.next_questions, "risk": risk.map(risk_view),
    })
}

fn risk_view(risk: &RiskAssessment) -> Value {
    let actions: Vec<_> = risk
        .actions
        .iter()
        .map(|a| {
            let simulated = a.simulated.iter().map(|s| {
                format!("{}: {}; {}", line(&s.argv), if s.passed { "passed" } else { "failed" }, s.shows)
            });
            json!({
                "action": a.action, "level": a.level, "verdict": a.verdict, "categories": a.categories,
                "rules": a.rules.iter().map(|r| json!({ "rule": r.rule, "why": r.why })).collect::<Vec<_>>(),
                "unresolved": a.unresolved, "simulated": simulated.collect::<Vec<_>>(), "not_simulated": a.not_simulated,
            })
        })
        .collect();
    json!({
        "level": risk.level, "verdict": risk.verdict, "categories": risk.categories,
        "blast_radius": risk.blast_radius, "actions": actions,
        "rehearsed": risk.rehearsed.as_ref().map(|r| json!({
            "unable": r.unable,
            "steps": r.steps.iter().map(|s| json!({
                "action": s.action, "command": line(&s.argv), "passed": s.passed, "ended": s.ended,
            })).collect::<Vec<_>>(),
            "changes": r.changes.iter().map(|c| json!({ "kind": c.kind, "path": c.path, "detail": c.detail })).collect::<Vec<_>>(),
            "changes_beyond": r.changes_beyond,
            "would_run": r.would_run.iter().map(|argv| line(argv)).collect::<Vec<_>>(),
            "limits": r.limits,
        })),
    })
}

pub(super) fn approval(a: &Approval) -> Value {
    json!({
        "plan_sha256": a.plan_sha256, "approver": a.approver, "reason": a.reason, "at": a.at,
        "expires_at": a.expires_at, "dangerous": a.dangerous,
    })
}

fn applied(a: &Applied) -> Value {
    let step = |s: &chaos_core::model::Step| json!({ "action": s.action, "kind": s.kind, "command": visible(&line(&s.argv)), "passed": s.passed, "ended": s.ended });
    json!({
        "ending": a.ending, "why": a.why, "began": a.began, "ended": a.ended,
        "steps": a.steps.iter().map(step).collect::<Vec<_>>(),
        "by_hand": a.by_hand,
        "compared": a.compared.iter().map(|c| json!({ "what": c.what, "back": c.back })).collect::<Vec<_>>(),
    })
}

fn injection(i: &Injection) -> Value {
    let recovery = match &i.recovery {
        Recovery::Proven => json!({ "state": "proven" }),
        Recovery::NotRecovered(why) => json!({ "state": "not_recovered", "why": why }),
        Recovery::Unknown(why) => json!({ "state": "unknown", "why": why }),
    };
    json!({
        "scenario": i.scenario, "args": i.args, "causes": i.causes, "started": i.started, "fires_at": i.fires_at,
        "reverted": i.reverted, "recovery": recovery,
    })
}
