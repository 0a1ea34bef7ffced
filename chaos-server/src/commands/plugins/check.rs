//! `plugins check`: what a component is, and whether a call of it works, with nothing to look at and no target.

use std::{path::Path, time::Instant};

use chaos_core::{
    agent::{AgentContext, Diagnosed},
    error::{Error, ErrorKind},
    model::{Confidence, Diagnosis, Facts, Ledger, Observation, Timestamp, Verdict},
};
use chaos_plugins::{Grant, Grants, Inspected, Kind, Plugin, inspect, read};
use serde_json::json;

use crate::{
    cli::CheckArgs,
    exit::{Exit, Failure},
    output,
};

pub(super) async fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let mut worst = None;
    let mut objects = Vec::new();
    for file in &args.files {
        let checked = look(file).await;
        if args.json {
            objects.push(match &checked {
                Ok((about, call_ms)) => json!({ "file": file, "ok": true, "plugin": about, "call_ms": call_ms }),
                Err(e) => json!({ "file": file, "ok": false, "error": e.to_string() }),
            });
        } else if let Ok((about, call_ms)) = &checked {
            output::print(&told(file, about, *call_ms))?;
        }
        if let Err(e) = checked {
            let failure = Failure::new(Exit::from(e.kind()), format!("{}: {e}", file.display()));
            let exit = failure.say();
            worst.get_or_insert(exit);
        }
    }
    if args.json {
        output::print_json(&objects)?;
    }
    Ok(worst.unwrap_or(Exit::Ok))
}

/// What it is, and how many milliseconds a first call took.
async fn look(file: &Path) -> Result<(Inspected, f64), Error> {
    let bytes = read(file)?;
    let about = inspect(&bytes)?;
    // Only to call it here, without a target: what it asks for is granted and refused when it is used.
    let grant = Grant {
        sha256: about.sha256.clone(),
        name: about.manifest.name.clone(),
        commands: about.manifest.commands.clone(),
        config: Default::default(),
        limits: None,
    };
    let host = super::host().map_err(|_| Error::new(ErrorKind::Internal, "the plugin engine can't be started"))?;
    let plugin = host.load(&bytes, &Grants { all: vec![grant] })?;
    let started = Instant::now();
    dry_call(&plugin).await?;
    Ok((about, started.elapsed().as_secs_f64() * 1e3))
}

async fn dry_call(plugin: &Plugin) -> Result<(), Error> {
    let cx = AgentContext::detached(plugin.name(), tokio::time::Instant::now());
    let seen = Observation {
        facts: Facts::default(),
        baseline: None,
        observed: Timestamp(0)..Timestamp(1),
        evidence: Ledger::default(),
    };
    match plugin.about().kind {
        Kind::Detector => plugin.detect(&cx, &seen, None).await.map(drop),
        Kind::Fixer => {
            let diagnosis = Diagnosis::new(Verdict::Healthy, "Healthy", Confidence::new(1.0));
            let (findings, answers) = Default::default();
            let input = Diagnosed { seen: seen.into(), findings, answers, diagnosis: diagnosis.into() };
            plugin.propose(&cx, &input).await.map(drop)
        }
    }
}

fn told(file: &Path, about: &Inspected, call_ms: f64) -> String {
    let manifest = &about.manifest;
    let imports: Vec<&str> = about.imports.iter().map(String::as_str).collect();
    let asks = match manifest.commands.is_empty() {
        true => "nothing: it sees what was collected, and no more".to_owned(),
        false => format!("to run, read-only: {}", manifest.commands.join(", ")),
    };
    let rows = [
        ("plugin", format!("{} {} ({})", manifest.name, manifest.version, about.kind.as_str())),
        ("about", manifest.description.clone()),
        ("contract", about.version.to_owned()),
        ("imports", imports.join(", ")),
        ("asks for", asks),
        ("size", format!("{} KiB", about.bytes.div_ceil(1024))),
        ("SHA-256", about.sha256.clone()),
        ("dry call", format!("worked, in {call_ms:.1} ms")),
    ];
    let mut text = format!("{}\n", file.display());
    for (key, value) in rows {
        text.push_str(&format!("  {key:<9} {}\n", chaos_core::chart::visible(&value)));
    }
    text
}
