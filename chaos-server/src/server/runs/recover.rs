//! After a process that died: its incidents are marked, and what they had injected is proven to be gone, or said not
//! to be. The target's own armed revert has the last word; this only looks, and helps.

use std::{fs, sync::Arc};

use chaos_core::{
    artifact::ArtifactSink as _,
    error::{Error, ErrorKind},
    model::{IncidentId, Recovery, Status},
    scenario::{Script, install},
};
use chaos_scripts::SCENARIOS;

use super::{Request, Subject};
use crate::{
    commands::chaos::files,
    interrupted::{self, Found},
    output,
    server::{Server, problem::Problem},
};

/// Its presence says that the fault of an interrupted incident was looked after; what it holds, whether that has to be
/// done again.
const RECOVERED: &str = ".recovered";
const AGAIN: &[u8] = b"not known\n";

/// A fault, and whether it is gone.
pub(crate) struct Proof {
    pub(crate) scenario: &'static str,
    pub(crate) recovery: Recovery,
}

/// How many incidents are looked through at a start.
const LOOKED_THROUGH: usize = 1000;

/// Marks incidents whose process died, and looks after their faults in the background; at a start also after those of
/// which nobody knows yet whether they are gone.
///
/// # Errors
/// When the incidents can't be read.
pub(crate) async fn recover(server: &Arc<Server>, at_start: bool) -> Result<(), Error> {
    let mut ids = interrupted::mark(&server.dir, server.clock.now())?;
    for id in &ids {
        output::note(&format!("{id} was interrupted: its process died"));
    }
    if at_start {
        let unknown = |id: &IncidentId| {
            let interrupted = server.past.head(&server.dir, id).is_some_and(|h| h.status == Status::Interrupted);
            interrupted && looked_after(server, id).is_none_or(|said| said == AGAIN) && !ids.contains(id)
        };
        let latest = server.dir.incidents().await?.into_iter().rev().take(LOOKED_THROUGH);
        let more: Vec<_> = latest.filter(unknown).collect();
        ids.extend(more);
    }
    for id in ids {
        let Some(request) = Request::of(&server.dir, &id).filter(|r| r.scenario.is_some()) else { continue };
        let server = server.clone();
        tokio::spawn(async move { look_after(&server, &id, &request).await });
    }
    Ok(())
}

fn looked_after(server: &Server, id: &IncidentId) -> Option<Vec<u8>> {
    fs::read(server.dir.path(id).join(RECOVERED)).ok()
}

async fn look_after(server: &Server, id: &IncidentId, request: &Request) {
    let names: Vec<&str> = request.scenario.iter().map(String::as_str).collect();
    let said = match subject(server, request).await {
        Ok(subject) => match end_faults(server, &subject, &names).await {
            Ok(proofs) => {
                proofs.first().map_or(Recovery::Unknown("there is no such scenario".into()), |p| p.recovery.clone())
            }
            Err(e) => Recovery::Unknown(e.detail().to_owned()),
        },
        Err(e) => Recovery::Unknown(e.detail().to_owned()),
    };
    let fault = request.scenario.as_deref().unwrap_or_default();
    let content = match &said {
        Recovery::Proven => format!("after the interruption: {fault} is proven to be gone from the target"),
        Recovery::NotRecovered(why) => format!("after the interruption: {fault} is NOT reverted: {why}"),
        Recovery::Unknown(why) => {
            format!(
                "after the interruption: whether {fault} is reverted is not known ({why}); its armed revert fires by itself"
            )
        }
    };
    output::note(&format!("{id}: {content}"));
    let is_unknown = matches!(said, Recovery::Unknown(_));
    // What is as unknown as at the last start is no news.
    if !is_unknown || looked_after(server, id).is_none() {
        let found = Found { recovery: said, at: server.clock.now(), said: content };
        if let Err(e) = interrupted::tell(&server.dir, id, Some(&found)) {
            output::note(&format!("{id}: {e}"));
        }
    }
    let _ = fs::write(server.dir.path(id).join(RECOVERED), if is_unknown { AGAIN } else { b"" });
}

/// The target of an incident that was started by a server.
///
/// # Errors
/// When the configuration does not cover it any more.
pub(crate) async fn subject(server: &Server, request: &Request) -> Result<Subject, Problem> {
    match &request.vm {
        Some(vm) => Subject::described(&server.settings, vm).await,
        None => Subject::named(&server.settings, &request.target),
    }
}

async fn end_faults(server: &Server, subject: &Subject, names: &[&str]) -> Result<Vec<Proof>, Problem> {
    let target = subject.open(server.clock.clone()).await?;
    let directory = install(&target, &files()).await?;
    let mut proofs = Vec::new();
    for scenario in SCENARIOS.iter().filter(|s| names.contains(&s.name)) {
        let recovery = Script::installed(target.clone(), &directory, scenario.name).stop().await;
        proofs.push(Proof { scenario: scenario.name, recovery });
    }
    Ok(proofs)
}

/// Ends every fault of ours on the target of an incident.
///
/// # Errors
/// When the target has none, or can't be reached.
pub(crate) async fn reset(server: &Server, id: &IncidentId) -> Result<(String, Vec<Proof>), Problem> {
    let request = Request::of(&server.dir, id);
    let request = request.ok_or_else(|| {
        Problem::new(
            ErrorKind::Unsupported,
            "this incident was not started here: its target is not known; use chaos-handler cleanup",
        )
    })?;
    let subject = subject(server, &request).await?;
    if !subject.is_live() {
        return Err(Problem::new(ErrorKind::Unsupported, "its target is no machine: there is nothing to reset"));
    }
    let names: Vec<&str> = SCENARIOS.iter().map(|s| s.name).collect();
    Ok((subject.info.name.clone(), end_faults(server, &subject, &names).await?))
}
