//! `rehearse`: a script in a sandbox on a target.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use chaos_core::{
    chart::visible,
    clock::SystemClock,
    model::{FileChangeKind, Rehearsed},
    rehearsal::{self, Step},
};

use super::target;
use crate::{
    cli::RehearseArgs,
    config::Config,
    exit::{Exit, Failure},
    output,
};

/// Bytes that are read; more can't be sent.
const LONGEST: u64 = 1 << 20;

pub(super) async fn rehearse(args: &RehearseArgs, config: &Config) -> Result<Exit, Failure> {
    let step = |file: &PathBuf| {
        let name = file.display().to_string();
        let argv = ["bash".to_owned(), "-c".to_owned(), read(file)?, name.clone()].to_vec();
        Ok(Step { action: name, argv, timeout_s: args.timeout })
    };
    let steps = args.files.iter().map(step).collect::<Result<Vec<_>, Failure>>()?;
    let target = target::open(&args.target, config, Arc::new(SystemClock::default())).await?;
    let rehearsed = rehearsal::rehearse(&target, &steps).await?;
    if args.json {
        output::print_json(&rehearsed)?;
    } else {
        output::print(&told(&rehearsed))?;
    }
    Ok(match &rehearsed {
        r if r.unable.is_some() => Exit::Target,
        r if r.is_success() => Exit::Ok,
        _ => Exit::NotResolved,
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |e: io::Error| {
        let exit = if e.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Usage };
        Failure::new(exit, format!("can't read {}: {e}", path.display()))
    };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        File::open(path).and_then(|f| f.take(LONGEST).read_to_end(&mut bytes)).map_err(unreadable)?;
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not text (UTF-8)", path.display())))
}

fn told(r: &Rehearsed) -> String {
    if let Some(why) = &r.unable {
        return format!("Not rehearsed: {}.\n", visible(why));
    }
    let mut text = String::new();
    for step in &r.steps {
        text.push_str(&format!("{} ended: {}.\n", visible(&step.action), visible(&step.ended)));
        for line in step.output.lines().take(40) {
            text.push_str(&format!("  | {}\n", visible(line)));
        }
    }
    for change in &r.changes {
        let kind = match change.kind {
            FileChangeKind::Deleted => "deletes",
            FileChangeKind::Modified => "changes",
            FileChangeKind::Added => "adds",
            FileChangeKind::Metadata => "changes mode or owner of",
        };
        text.push_str(&format!("It {kind} {} ({})\n", visible(&change.path), visible(&change.detail)));
        for line in change.diff.iter().flat_map(|d| d.lines()) {
            text.push_str(&format!("  {}\n", visible(line)));
        }
    }
    if r.changes_beyond > 0 {
        text.push_str(&format!("It changes {} more files.\n", r.changes_beyond));
    }
    if r.changes.is_empty() {
        text.push_str("It changes no file.\n");
    }
    for argv in &r.would_run {
        let words: Vec<String> = argv.iter().map(|w| chaos_core::agents::shell_quote(w)).collect();
        text.push_str(&format!("It would run {}\n", visible(&words.join(" "))));
    }
    for limit in &r.limits {
        text.push_str(&format!("Limit: {}.\n", visible(limit)));
    }
    text.push_str("Nothing was changed on the target.\n");
    text
}
