//! `plugins grant` and `plugins list`: what plugins ask for, and what an operator gave them.

use chaos_plugins::{Grant, Grants, Inspected, Limits, files, inspect, read};
use serde_json::json;

use crate::{
    cli::{GrantArgs, ListArgs},
    config::Config,
    exit::{Exit, Failure},
    output,
};

pub(super) fn grant(args: &GrantArgs, config: &Config) -> Result<Exit, Failure> {
    let about = inspect(&read(&args.file)?).map_err(|e| e.with("plugin", args.file.display()))?;
    let (file, mut grants) = super::grants(&args.grants, config)?;
    let manifest = &about.manifest;
    let set: Vec<(String, String)> = args.set.iter().map(|t| pair(t)).collect::<Result<_, _>>()?;
    if let Some((key, _)) = set.iter().find(|(k, _)| !manifest.config.contains_key(k)) {
        let known: Vec<&str> = manifest.config.keys().map(String::as_str).collect();
        return Err(Failure::usage(format!("{} has no value {key:?}; it has: {}", manifest.name, known.join(", "))));
    }
    let new = Grant {
        sha256: about.sha256.clone(),
        name: manifest.name.clone(),
        commands: manifest.commands.clone(),
        config: set.into_iter().collect(),
        limits: limits(&args.limit)?,
    };
    output::note(&format!(
        "{} {} ({}), SHA-256 {}",
        manifest.name,
        manifest.version,
        about.kind.as_str(),
        about.sha256
    ));
    if grants.of(&about.sha256).is_none() && grants.all.iter().any(|g| g.name == manifest.name) {
        output::note("it is not the component that was granted under this name before");
    }
    if manifest.commands.is_empty() {
        output::note("it asks for no commands");
    }
    for command in &manifest.commands {
        output::note(&format!("asks to run on targets, where that is read-only: {command} …"));
    }
    output::confirm(args.yes)?;
    grants.put(new);
    grants.write(&file).map_err(|e| Failure::storage(&e))?;
    output::print(&format!("granted, in {}\n", file.display()))?;
    Ok(Exit::Ok)
}

fn pair(text: &str) -> Result<(String, String), Failure> {
    let (key, value) = text.split_once('=').ok_or_else(|| Failure::usage(format!("want KEY=VALUE, not {text:?}")))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn limits(texts: &[String]) -> Result<Option<Limits>, Failure> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut limits = Limits::default();
    for text in texts {
        let (key, value) = pair(text)?;
        let number =
            value.parse().map_err(|_| Failure::usage(format!("the limit {key} wants a number, not {value:?}")))?;
        let place = match key.as_str() {
            "memory_mb" => &mut limits.memory_mb,
            "time_ms" => &mut limits.time_ms,
            "output_kb" => &mut limits.output_kb,
            "log_lines" => &mut limits.log_lines,
            "commands" => &mut limits.commands,
            _ => {
                let known = "memory_mb, time_ms, output_kb, log_lines and commands";
                return Err(Failure::usage(format!("there is no limit {key:?}; there are {known}")));
            }
        };
        *place = number;
    }
    limits.check()?;
    Ok(Some(limits))
}

pub(super) fn list(args: &ListArgs, config: &Config) -> Result<Exit, Failure> {
    let paths = if args.paths.is_empty() { &config.plugins } else { &args.paths };
    let (_, grants) = super::grants(&args.grants, config)?;
    let mut objects = Vec::new();
    let mut text = String::new();
    for path in files(paths)? {
        let about = read(&path).and_then(|bytes| inspect(&bytes));
        match &about {
            Ok(about) => {
                let state = state(about, &grants);
                objects.push(json!({ "file": path, "plugin": about, "state": state }));
                let (name, version) = (&about.manifest.name, &about.manifest.version);
                let line = format!("{name:<24} {version:<8} {:<9} {state:<12} {}", about.kind.as_str(), path.display());
                text.push_str(&format!("{}\n", chaos_core::chart::visible(&line)));
            }
            Err(e) => {
                objects.push(json!({ "file": path, "error": e.to_string() }));
                output::note(&format!("{}: {e}", path.display()));
            }
        }
    }
    if args.json {
        output::print_json(&objects)?;
    } else if objects.is_empty() {
        output::note("no plugins; `plugins = […]` in the configuration file, or paths here, name some");
    } else {
        output::print(&text)?;
    }
    Ok(Exit::Ok)
}

fn state(about: &Inspected, grants: &Grants) -> &'static str {
    let changed = grants.all.iter().any(|g| g.name == about.manifest.name);
    match (grants.of(&about.sha256), about.manifest.commands.is_empty()) {
        (Some(_), _) => "granted",
        (None, true) => "needs none",
        (None, false) if changed => "changed",
        (None, false) => "not granted",
    }
}
