//! `confirm`: what a person found out about an incident's cause.

use std::{env, path::Path};

use chaos_core::{
    catalogue::Catalogue,
    chart::visible,
    clock::{Clock as _, SystemClock},
    model::{Confirmation, Diagnosis, FaultId, SCHEMA_VERSION, Verdict},
};

use super::{find, incidents::read, mark_interrupted};
use crate::{
    cli::ConfirmArgs,
    exit::{Exit, Failure},
    output,
};

/// Longest name and note, in characters.
const MAX_NAME: usize = 100;
const MAX_NOTE: usize = 2000;

pub(super) async fn confirm(root: &Path, args: &ConfirmArgs) -> Result<Exit, Failure> {
    let (dir, id) = find(root, &args.id).await?;
    mark_interrupted(&dir)?;
    if args.undo {
        dir.unconfirm(&id)?;
        output::note(&format!("{id}: what was confirmed is taken back; it counts no more"));
        return Ok(Exit::Ok);
    }
    if dir.is_running(&id) {
        return Err(Failure::new(Exit::Conflict, format!("{id} is still running: nothing is named yet")));
    }
    let incident = read(&dir, &id)?;
    let Some(diagnosis) = &incident.diagnosis else {
        return Err(Failure::new(Exit::NotFound, format!("{id} has no diagnosis that could be right or wrong")));
    };
    let (by, note) = (args.by.clone().or_else(user), args.note.clone());
    for (what, text, most) in [("name", &by, MAX_NAME), ("note", &note, MAX_NOTE)] {
        if text.as_ref().is_some_and(|t| t.chars().count() > most) {
            return Err(Failure::usage(format!("the {what} is longer than {most} characters")));
        }
    }
    let verdict = verdict(args, diagnosis)?;
    let at = SystemClock::default().now();
    let confirmation = Confirmation { schema_version: SCHEMA_VERSION, verdict, at, by, note };
    dir.confirm(&id, &confirmation).map_err(|e| Failure::storage(&e))?;
    output::print(&format!("{id}: {}\n", told(&confirmation, diagnosis)))?;
    if incident.injection.is_some() {
        output::note("the fault was injected: this does not count for what goes wrong on the target by itself");
    }
    Ok(Exit::Ok)
}

fn verdict(args: &ConfirmArgs, d: &Diagnosis) -> Result<Verdict, Failure> {
    let Some(cause) = &args.cause else {
        return match d.verdict {
            _ if args.wrong => Ok(Verdict::Unknown),
            Verdict::Unknown => {
                Err(Failure::usage("nothing was named that could be right: say what it was, by --cause"))
            }
            _ => Ok(d.verdict.clone()),
        };
    };
    if cause == Verdict::Healthy.id() {
        return Ok(Verdict::Healthy);
    }
    let catalogue = Catalogue::load(&args.catalogues)?;
    // What another catalogue named is a cause that this incident knows.
    let named = d.hypotheses.iter().any(|(_, h)| matches!(h.verdict, Verdict::Fault(_)) && h.verdict.id() == cause);
    if named || catalogue.faults().iter().any(|f| f.id.0 == *cause) {
        return Ok(Verdict::Fault(FaultId(cause.clone())));
    }
    let mut likely: Vec<&str> =
        d.hypotheses.iter().map(|(_, h)| h.verdict.id()).filter(|id| *id != "unknown").collect();
    likely.truncate(5);
    let text = format!(
        "{:?} is no known fault (this incident's likeliest: {}); for one that is not known, --wrong with a --note",
        visible(cause),
        likely.join(", ")
    );
    Err(Failure::usage(text))
}

pub(super) fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()))
}

/// The outcome beside what was named, in one line.
pub(super) fn told(c: &Confirmation, d: &Diagnosis) -> String {
    let what = match &c.verdict {
        Verdict::Unknown => format!("confirmed that it was not {}", visible(d.verdict.id())),
        Verdict::Healthy if d.verdict != c.verdict => "a false alarm".to_owned(),
        v if *v == d.verdict => format!("confirmed: {}", visible(v.id())),
        v => format!("it was {}, not {}", visible(v.id()), visible(d.verdict.id())),
    };
    let by = c.by.as_ref().map_or(String::new(), |by| format!(", says {}", visible(by)));
    let note = c.note.as_ref().map_or(String::new(), |note| format!(": {}", visible(note)));
    format!("{what}{by}{note}")
}
