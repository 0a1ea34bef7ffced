//! `plugins test`: a plugin in a replay of a recorded incident, and what came of it. Nothing is written.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use chaos_core::{
    agent::{Agent, AgentContext, Diagnosed},
    chart::visible,
    model::{EventType, FixPlan, Incident, TraceEvent},
    pipeline::{Agents, Pipeline},
    sinks::Memory,
};
use chaos_plugins::{Kind, Plugin, Role};
use serde_json::json;

use super::super::replay::recorded;
use crate::{
    cli::TestArgs,
    config::Config,
    exit::{Exit, Failure},
    output,
};

pub(super) async fn test(args: &TestArgs, config: &Config, root: &Path) -> Result<Exit, Failure> {
    let (_, grants) = super::grants(&args.grants, config)?;
    let plugin = super::host()?.load_file(&args.file, &grants)?;
    let (name, kind) = (plugin.name().to_owned(), plugin.about().kind);
    let kept = Arc::new(Kept { plugin: plugin.clone(), plan: Mutex::default() });
    let register = |agents: Agents| match plugin.role() {
        Role::Detector(agent) => agents.detector_dyn(&name, agent),
        Role::ProbingDetector(agent) => agents.probing_detector_dyn(&name, agent),
        Role::Fixer(_) => agents.fixer_dyn(&name, kept.clone()),
    };
    let pipeline = Pipeline::replay(&recorded(&args.incident, root).await?, Arc::new(Memory::default()))?;
    let mut run = pipeline.map_agents(register).start().await?;
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await {
        if event.agent.as_str() == name {
            events.push(event);
        }
    }
    let incident = run.outcome().await?.incident;
    let failed = events.iter().any(|e| e.kind == EventType::Error);
    let found: Vec<_> = incident.findings.iter().filter(|(_, f)| f.agent.as_str() == name).map(|(_, f)| f).collect();
    let plan = kept.plan.lock().expect("no panic while held").take();
    if args.json {
        output::print_json(&json!({ "plugin": name, "findings": found, "plan": plan, "events": events }))?;
    } else {
        output::print(&told(&incident, &events, &found, plan.as_ref(), kind))?;
    }
    Ok(if failed { Exit::NotResolved } else { Exit::Ok })
}

/// A fixer whose plan is kept: in an incident it stands among those of others.
struct Kept {
    plugin: Plugin,
    plan: Mutex<Option<FixPlan>>,
}

#[async_trait]
impl Agent<Diagnosed, FixPlan> for Kept {
    async fn run(&self, cx: &AgentContext, input: &Diagnosed) -> chaos_core::error::Result<FixPlan> {
        let plan = self.plugin.propose(cx, input).await?;
        *self.plan.lock().expect("no panic while held") = Some(plan.clone());
        Ok(plan)
    }
}

fn told(
    incident: &Incident,
    events: &[TraceEvent],
    found: &[&chaos_core::model::Finding],
    plan: Option<&FixPlan>,
    kind: Kind,
) -> String {
    let mut text = String::new();
    for event in events.iter().filter(|e| !matches!(e.kind, EventType::Finding | EventType::Fix)) {
        let label = if event.kind == EventType::Error { "error" } else { "says" };
        text.push_str(&format!("{label:<8} {}\n", visible(&event.content)));
    }
    for finding in found {
        let about = format!("{} {}", finding.entity.kind.as_str(), finding.entity.name);
        text.push_str(&format!(
            "finding  {:.2} {} ({})\n",
            finding.score,
            visible(&finding.summary),
            visible(about.trim())
        ));
        for cite in &finding.cites {
            let source = incident.observation.as_ref().and_then(|o| o.evidence.get(cite.evidence));
            let source = source.map_or("", |e| e.source.as_str());
            text.push_str(&format!(
                "           {} rows {} to {}\n",
                visible(source),
                cite.rows.start,
                cite.rows.end - 1
            ));
        }
    }
    if let Some(plan) = plan {
        text.push_str(&format!("plan     {}\n", visible(&plan.summary)));
        for action in &plan.actions {
            text.push_str(&format!("           {}: {}\n", action.id, visible(&action.argv.join(" "))));
        }
    }
    if found.is_empty() && kind == Kind::Detector {
        text.push_str("it found nothing\n");
    }
    text
}
