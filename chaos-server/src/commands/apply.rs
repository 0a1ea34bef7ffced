//! `approve` and `apply`: a person's consent to one plan, and its execution. Off unless the operator turned it on.

use std::{path::Path, sync::Arc};

use chaos_core::{
    chart::visible,
    clock::{Clock, SystemClock},
    model::Ending,
};

use super::{confirm::user, find, mark_interrupted, target};
use crate::{
    cli::{ApplyArgs, ApproveArgs},
    config::Config,
    exit::{Exit, Failure},
    output,
    remedy::{self, Consent},
};

pub(super) async fn approve(root: &Path, args: &ApproveArgs, config: &Config) -> Result<Exit, Failure> {
    allowed(config, args.allow)?;
    let (dir, id) = find(root, &args.id).await?;
    mark_interrupted(&dir)?;
    let consent = Consent {
        plan: args.plan.clone(),
        approver: args.by.clone().or_else(user).unwrap_or_default(),
        reason: args.reason.clone(),
        expires: args.expires,
        dangerous: args.dangerous,
    };
    let (approval, plan) = remedy::approve(&dir, &id, consent)?;
    let mut text = format!("{id}: {}\n", visible(&remedy::approved(&approval)));
    for action in &plan.actions {
        let words: Vec<String> = action.argv.iter().map(|w| chaos_core::agents::shell_quote(w)).collect();
        let line = action.shell.clone().unwrap_or_else(|| words.join(" "));
        text.push_str(&format!("  {:<14} {}\n", visible(&action.id), visible(&line)));
    }
    text.push_str(&format!("\nApply it with: chaos-handler apply {id}\n"));
    output::print(&text)?;
    Ok(Exit::Ok)
}

pub(super) async fn apply(root: &Path, args: &ApplyArgs, config: &Config) -> Result<Exit, Failure> {
    allowed(config, args.allow)?;
    let (dir, id) = find(root, &args.id).await?;
    mark_interrupted(&dir)?;
    let ready = remedy::ready(&dir, &id, args.dangerous)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let host = target::open(&args.target, config, clock.clone()).await?;
    let (applied, lost) = remedy::apply(&dir, ready, host, clock, output::note).await?;
    let mut text = format!("{id}: {}\n", visible(&remedy::ended(&applied)));
    applied.by_hand.iter().for_each(|line| text.push_str(&format!("  by hand    {}\n", visible(line))));
    for c in &applied.compared {
        text.push_str(&format!(
            "  {:<10} {}\n",
            match (c.back, c.demand) {
                (true, _) => "as usual",
                (false, true) => "asked",
                (false, false) => "still odd",
            },
            visible(&c.what)
        ));
    }
    text.push_str(&format!("  Account    {}\n", dir.path(&id).join("applied.md").display()));
    output::print(&text)?;
    match lost {
        Some(e) => Err(Failure::storage(&e)),
        None if applied.ending == Ending::Resolved => Ok(Exit::Ok),
        None => Ok(Exit::NotResolved),
    }
}

fn allowed(config: &Config, here: bool) -> Result<(), Failure> {
    if config.allow_apply || here {
        return Ok(());
    }
    let text = "nothing is changed on a target unless the operator allows it: `allow_apply = true` in the \
                configuration file, or --allow-apply";
    Err(Failure::usage(text))
}
