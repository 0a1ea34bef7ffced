//! From what was seen to what to do: the agents that think, in order, and the checks between them.

use std::sync::{Arc, Mutex};

use tokio::time::{Instant, timeout_at};

use super::{super::Named, ASKING, Drive, THINKING};
use crate::{
    agent::{Agent, AgentContext, Case, Diagnosed, Probed, Rehearsal},
    error::{Error, ErrorKind, Result},
    model::{Answer, Basis, Diagnosis, EventType, Finding, FixPlan, Ledger, Observation, Phase, RiskAssessment},
    pipeline::artifacts,
    transport::Stop,
};

impl Drive {
    pub(super) async fn think(&mut self, seen: &Arc<Observation>) {
        if self.stop.is_over() {
            return;
        }
        let answers = Arc::new(Mutex::new(Ledger::default()));
        let findings = Arc::new(self.detect(seen, &answers).await);
        let diagnosis = if self.stop.is_over() { None } else { self.investigate(seen, &findings, &answers).await };
        if let Some(diagnosis) = diagnosis.filter(|_| !self.stop.is_over()) {
            let diagnosis = Arc::new(diagnosis);
            self.incident.diagnosis = Some((*diagnosis).clone());
            self.plan(seen, &findings, &answers, &diagnosis).await;
        }
        self.incident.findings = Arc::unwrap_or_clone(findings);
        self.incident.answers = answers.lock().expect("no panic while held").clone();
        if let Some(diagnosis) = self.incident.diagnosis.clone() {
            self.write_all(artifacts::fix(&self.incident, &diagnosis)).await;
        }
    }

    async fn detect(&self, seen: &Arc<Observation>, answers: &Arc<Mutex<Ledger<Answer>>>) -> Ledger<Finding> {
        let mut findings = Ledger::default();
        for Named(name, agent) in &self.agents.detectors {
            let cx = self.contexts.of(name, Instant::now() + THINKING);
            let found = pure(agent.clone(), cx.clone(), seen.clone(), &self.stop).await;
            self.take(&mut findings, &cx, seen, answers, found);
        }
        for Named(name, agent) in &self.agents.probing {
            if self.stop.is_over() {
                break;
            }
            let deadline = Instant::now() + THINKING;
            let host = self.host(&Arc::new(seen.facts.clone()), name, deadline, &self.stop, answers.clone());
            let cx = self.contexts.of(name, deadline);
            let found = self.asking(agent.clone(), cx.clone(), Probed { seen: seen.clone(), host }).await;
            self.take(&mut findings, &cx, seen, answers, found);
        }
        if findings.is_empty() {
            self.note("nothing abnormal was found");
        }
        findings
    }

    /// Takes over what a detector found, but for what cites evidence or an answer that does not exist.
    fn take(
        &self,
        findings: &mut Ledger<Finding>,
        cx: &AgentContext,
        seen: &Observation,
        answers: &Mutex<Ledger<Answer>>,
        found: Result<Vec<Finding>>,
    ) {
        let name = cx.agent();
        let found = match found {
            Ok(found) => found,
            Err(e) => return self.failed(name, &e),
        };
        for mut finding in found {
            // A detector cites what was seen, and what it asked itself.
            let own = |id| answers.lock().expect("no panic while held").get(id).is_some_and(|a| a.agent == *name);
            let is_bare = finding.cites.is_empty() && finding.answers.is_empty();
            if is_bare || !finding.cites.iter().all(|c| seen.holds(c)) || !finding.answers.iter().all(|id| own(*id)) {
                let e = Error::new(ErrorKind::DanglingCitation, "a finding without existing evidence is dropped");
                self.failed(name, &e.with("finding", finding.summary.escape_debug()));
                continue;
            }
            finding.agent = name.clone();
            let (summary, data) = (finding.summary.clone(), finding_data(&finding, findings.len()));
            findings.push(finding);
            cx.emit_with(EventType::Finding, summary, data);
        }
    }

    async fn investigate(
        &self,
        seen: &Arc<Observation>,
        findings: &Arc<Ledger<Finding>>,
        answers: &Arc<Mutex<Ledger<Answer>>>,
    ) -> Option<Diagnosis> {
        self.phase(Phase::Investigate, "working out the cause".into()).await;
        let Named(name, agent) = self.agents.investigator.as_ref()?;
        let deadline = Instant::now() + ASKING;
        let host = self.host(&Arc::new(seen.facts.clone()), name, deadline, &self.stop, answers.clone());
        let history = Arc::new(self.record.history.clone());
        let case = Case { seen: seen.clone(), findings: findings.clone(), history, host };
        let diagnosis = self.asking(agent.clone(), self.contexts.of(name, deadline), case).await;
        let checked = diagnosis.and_then(|d| {
            let answers = answers.lock().expect("no panic while held");
            let held = |b: &Basis| match b {
                Basis::Finding(id) => findings.get(*id).is_some(),
                Basis::Answer(id) => answers.get(*id).is_some(),
            };
            let culprit = d.culprit.iter().flat_map(|c| &c.basis);
            if d.hypotheses.iter().flat_map(|(_, h)| &h.basis).chain(culprit).all(held) {
                return Ok(d);
            }
            Err(Error::new(ErrorKind::DanglingCitation, "the diagnosis cites what does not exist"))
        });
        checked.map_err(|e| self.failed(name, &e)).ok()
    }

    async fn plan(
        &mut self,
        seen: &Arc<Observation>,
        findings: &Arc<Ledger<Finding>>,
        answers: &Arc<Mutex<Ledger<Answer>>>,
        diagnosis: &Arc<Diagnosis>,
    ) {
        self.phase(Phase::Plan, "working out what to do".into()).await;
        let asked = Arc::new(answers.lock().expect("no panic while held").clone());
        let mut plans: Vec<FixPlan> = Vec::new();
        for Named(name, agent) in &self.agents.fixers {
            let cx = self.contexts.of(name, Instant::now() + THINKING);
            let input = Diagnosed {
                seen: seen.clone(),
                findings: findings.clone(),
                answers: asked.clone(),
                diagnosis: diagnosis.clone(),
            };
            match pure(agent.clone(), cx, Arc::new(input), &self.stop).await {
                Ok(plan)
                    if plan.actions.iter().flat_map(|a| &a.cites).any(|id| diagnosis.hypotheses.get(*id).is_none()) =>
                {
                    self.failed(
                        name,
                        &Error::new(ErrorKind::DanglingCitation, "the plan cites a hypothesis that does not exist"),
                    );
                }
                // Sealed here: the hash that an approval binds is never the fixer's own claim.
                Ok(plan) => plans.push(plan.sealed()),
                Err(e) => self.failed(name, &e),
            }
        }
        self.rehearse(seen, answers, plans).await;
    }

    /// Judges every plan, and orders them: lowest risk first, then highest confidence.
    async fn rehearse(&mut self, seen: &Arc<Observation>, answers: &Arc<Mutex<Ledger<Answer>>>, plans: Vec<FixPlan>) {
        let mut judged: Vec<(FixPlan, Option<RiskAssessment>)> = Vec::new();
        if plans.iter().any(|p| !p.actions.is_empty()) {
            self.phase(Phase::Rehearse, "judging the plan without touching the target".into()).await;
        }
        for plan in plans {
            let mut risk = None;
            if let (Some(Named(name, agent)), false) = (&self.agents.tester, plan.actions.is_empty()) {
                let deadline = Instant::now() + ASKING;
                let host = self.host(&Arc::new(seen.facts.clone()), name, deadline, &self.stop, answers.clone());
                let rehearsal = Rehearsal { plan: Arc::new(plan.clone()), host };
                match self.asking(agent.clone(), self.contexts.of(name, deadline), rehearsal).await {
                    Ok(assessed) if assessed.plan_sha256 == plan.plan_sha256 => risk = Some(assessed),
                    Ok(_) => {
                        self.failed(name, &Error::new(ErrorKind::AgentFailed, "the assessment is of another plan"));
                    }
                    Err(e) => self.failed(name, &e),
                }
            }
            judged.push((plan, risk));
        }
        let confidence = |p: &FixPlan| p.actions.iter().map(|a| a.confidence.get()).fold(0.0, f64::max);
        // A plan without actions is no plan to prefer over one that has some; a plan that was not judged comes last.
        judged.sort_by(|(a, ra), (b, rb)| {
            let key = |p: &FixPlan, r: &Option<RiskAssessment>| {
                (p.actions.is_empty(), r.is_none(), r.as_ref().map(|r| (r.verdict, r.level)))
            };
            key(a, ra).cmp(&key(b, rb)).then(confidence(b).total_cmp(&confidence(a)))
        });
        for (plan, risk) in judged {
            self.incident.plans.push(plan);
            self.incident.risks.extend(risk);
        }
    }
}

/// What a program gets of a finding as it happens; the whole is in `incident.json`.
fn finding_data(finding: &Finding, index: usize) -> serde_json::Value {
    serde_json::json!({
        "finding": index,
        "score": (finding.score * 1e3).round() / 1e3,
        "entity": finding.entity,
        "onset": finding.onset,
    })
}

pub(super) type Settled<T> =
    std::result::Result<std::result::Result<Result<T>, tokio::task::JoinError>, tokio::time::error::Elapsed>;

pub(super) fn settle<T>(ended: Settled<T>) -> Result<T> {
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(e)) => Err(Error::new(ErrorKind::AgentFailed, "the agent panicked").because(e)),
        Err(_) => Err(Error::new(ErrorKind::Deadline, "the agent ran past its deadline")),
    }
}

/// Runs an agent without a target. It may burn CPU or hold a lock of its own: it runs off the reactor, so that
/// deadlines fire all the same.
pub(super) async fn pure<In: Send + Sync + 'static, Out: Send + 'static>(
    agent: Arc<dyn Agent<In, Out>>,
    cx: AgentContext,
    input: Arc<In>,
    stop: &Stop,
) -> Result<Out> {
    let (deadline, runtime) = (cx.deadline, tokio::runtime::Handle::current());
    let task = tokio::task::spawn_blocking(move || runtime.block_on(agent.run(&cx, &input)));
    tokio::select! {
        ended = timeout_at(deadline, task) => settle(ended),
        () = stop.wait() => Err(Error::new(ErrorKind::Stopped, "stopped")),
    }
}
