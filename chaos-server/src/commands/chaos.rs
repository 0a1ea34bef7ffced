//! A fault of our own making: which one, with which arguments, and whether a person agrees to it.

use std::{collections::BTreeMap, sync::Arc};

use chaos_core::{
    model::{FaultId, TargetInfo},
    scenario::{ScriptFile, ScriptScenario},
    transport::Transport,
};
use chaos_scripts::{ArgKind, ScriptInfo, Start};

use super::target;
use crate::{config::Seconds, exit::Failure, output};

/// The argument that has a flag of its own.
const DURATION: &str = "duration";

/// A fault as somebody asks for it.
pub(crate) struct Wanted<'a> {
    /// The scenario's name.
    pub(crate) scenario: &'a str,
    /// Its arguments, as `KEY=VALUE`.
    pub(crate) set: &'a [String],
    /// How long it lasts.
    pub(crate) duration: Option<Seconds>,
    /// When the target reverts by itself.
    pub(crate) max_runtime: Option<Seconds>,
    /// Seconds for which the target is watched then.
    pub(crate) observe_s: u32,
    /// Whether the target need not be marked as fair game.
    pub(crate) allow_unmarked: bool,
}

/// A fault that is to be injected.
pub(crate) struct Chaos {
    info: &'static ScriptInfo,
    start: Start,
    /// When the target reverts by itself.
    pub(crate) max_runtime_s: u32,
    /// Whether the target need not be marked as fair game.
    allow_unmarked: bool,
}

impl Chaos {
    /// Takes what somebody asks for.
    ///
    /// # Errors
    /// `Usage` when there is no such scenario or argument, or a value can't be.
    pub(crate) fn new(args: &Wanted<'_>) -> Result<Self, Failure> {
        let info = chaos_scripts::scenario(args.scenario).map_err(Failure::usage)?;
        let mut given = BTreeMap::new();
        for text in args.set {
            let (name, value) = set(info, text)?;
            if given.insert(name.clone(), value).is_some() {
                return Err(Failure::usage(format!("{name} is set twice")));
            }
        }
        if let Some(arg) = info.args.iter().find(|a| a.required && !given.contains_key(a.name)) {
            let wants = format!("{} wants --set {}=…: {}", info.name, arg.name, arg.kind.wanted());
            return Err(Failure::usage(wants));
        }
        let seconds = |of: Option<Seconds>| of.map(|Seconds(s)| s);
        let start = info
            .start(&given, seconds(args.duration), seconds(args.max_runtime), args.observe_s)
            .map_err(Failure::usage)?;
        Ok(Self { info, max_runtime_s: start.max_runtime_s, start, allow_unmarked: args.allow_unmarked })
    }

    /// The scenario for the pipeline.
    pub(crate) fn scenario(&self) -> ScriptScenario {
        let causes = FaultId(self.info.causes.to_owned());
        let args = self.start.args.clone();
        let mut scenario = ScriptScenario::new(self.info.name, causes, files(), args, self.max_runtime_s);
        if let Some(input) = &self.start.input {
            scenario = scenario.with_input(input.clone());
        }
        if self.allow_unmarked { scenario.without_mark() } else { scenario }
    }

    /// Says what will happen to which machine, and asks, unless `yes`.
    ///
    /// # Errors
    /// `Usage` when a person says no, or nobody is there to ask.
    pub(crate) fn confirm(&self, on: &TargetInfo, baseline_s: u32, yes: bool) -> Result<(), Failure> {
        let Self { info, start, max_runtime_s, .. } = self;
        let pairs = start.args.chunks_exact(2).filter(|pair| pair[0] != "--duration");
        let set: String = pairs.map(|pair| format!(", {}={}", name_of(&pair[0]), pair[1])).collect();
        let duration_s = start.duration_s;
        for line in [
            format!("WARNING: this breaks {} on purpose.", target::described(on)),
            format!("  fault   {}{set}: {}", info.name, info.summary),
            format!("  when    {baseline_s} s from now, for at most {duration_s} s"),
            format!("  revert  when the run ends or is stopped (Ctrl-C); and by the target itself {max_runtime_s} s"),
            "          after the start, whatever happens to this process".to_owned(),
        ] {
            output::note(&line);
        }
        output::confirm(yes)
    }

    /// Looks before the baseline whether the fault can be injected, rather than after it.
    ///
    /// # Errors
    /// Why it can't: it is there already, the target is not fair game, an argument does not fit this target.
    pub(crate) async fn check(&self, target: Arc<dyn Transport>) -> Result<(), Failure> {
        Ok(self.scenario().check(target).await?)
    }
}

/// The scripts, for the target.
pub(crate) fn files() -> Vec<ScriptFile> {
    chaos_scripts::FILES.iter().map(|f| ScriptFile { name: f.name, text: f.text }).collect()
}

/// An option as the argument is called.
fn name_of(option: &str) -> String {
    option.trim_start_matches('-').replace('-', "_")
}

/// An argument and its value; a secret's from the environment, where that is asked for.
fn set(info: &'static ScriptInfo, text: &str) -> Result<(String, String), Failure> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("--set wants KEY=VALUE, such as {}=…", example(info))))?;
    if key == DURATION {
        return Err(Failure::usage("the duration has a flag of its own: --duration"));
    }
    let arg = info.arg(key).map_err(Failure::usage)?;
    let from_environment = || {
        let name = format!("CHAOS_HANDLER_{}", arg.name.to_uppercase());
        std::env::var(&name)
            .map_err(|_| Failure::usage(format!("{}=- takes it from {name}, which is not set", arg.name)))
    };
    let value = if arg.kind == ArgKind::Secret && value == "-" { from_environment()? } else { value.to_owned() };
    Ok((arg.name.to_owned(), value))
}

fn example(info: &ScriptInfo) -> &'static str {
    info.args.iter().find(|a| a.name != DURATION).map_or("key", |a| a.name)
}
