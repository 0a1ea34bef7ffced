//! A fault of our own making: which one, with which arguments, and whether a person agrees to it.

use std::sync::Arc;

use chaos_core::{
    model::{FaultId, TargetInfo},
    scenario::{ScriptFile, ScriptScenario},
    transport::Transport,
};
use chaos_scripts::{ArgInfo, ArgKind, SCENARIOS, ScriptInfo};

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
    set: Vec<Set>,
    duration_s: u32,
    /// When the target reverts by itself.
    pub(crate) max_runtime_s: u32,
    /// Whether the target need not be marked as fair game.
    allow_unmarked: bool,
}

/// An argument and what it is set to; perhaps a secret.
struct Set {
    arg: &'static ArgInfo,
    value: String,
}

impl Set {
    fn is_secret(&self) -> bool {
        self.arg.kind == ArgKind::Secret
    }

    /// The value for everybody's eyes.
    fn shown(&self) -> &str {
        if self.is_secret() { "-" } else { &self.value }
    }
}

impl Chaos {
    /// Takes what somebody asks for.
    ///
    /// # Errors
    /// `Usage` when there is no such scenario or argument, or a value can't be.
    pub(crate) fn new(args: &Wanted<'_>) -> Result<Self, Failure> {
        let (name, observe_s) = (args.scenario, args.observe_s);
        let info = SCENARIOS.iter().find(|s| s.name == name).ok_or_else(|| {
            let known: Vec<_> = SCENARIOS.iter().map(|s| s.name).collect();
            Failure::usage(format!("unknown scenario {name:?}; known: {}", known.join(", ")))
        })?;
        let set = args.set.iter().map(|text| set(info, text)).collect::<Result<Vec<_>, _>>()?;
        for arg in info.args {
            match set.iter().filter(|s| s.arg.name == arg.name).count() {
                0 if arg.required => {
                    let wants = format!("{} wants --set {}=…: {}", info.name, arg.name, wanted(arg.kind));
                    return Err(Failure::usage(wants));
                }
                0 | 1 => {}
                _ => return Err(Failure::usage(format!("{} is set twice", arg.name))),
            }
        }
        let Seconds(duration_s) = args.duration.unwrap_or(Seconds(observe_s.saturating_add(120).min(86_400)));
        let Seconds(max_runtime_s) = args.max_runtime.unwrap_or(Seconds(info.default_max_runtime.max(duration_s)));
        // Without a word on the duration, a short --max-runtime shortens the fault.
        let duration_s = if args.duration.is_none() { duration_s.min(max_runtime_s) } else { duration_s };
        if duration_s == 0 || duration_s > max_runtime_s {
            return Err(Failure::usage(format!(
                "--duration ({duration_s} s) must be from 1 s to --max-runtime ({max_runtime_s} s), \
                 when the target reverts by itself"
            )));
        }
        Ok(Self { info, set, duration_s, max_runtime_s, allow_unmarked: args.allow_unmarked })
    }

    /// The scenario for the pipeline.
    pub(crate) fn scenario(&self) -> ScriptScenario {
        let mut args = Vec::new();
        for set in &self.set {
            args.extend([option(set.arg.name), set.shown().to_owned()]);
        }
        args.extend([option(DURATION), self.duration_s.to_string()]);
        let causes = FaultId(self.info.causes.to_owned());
        let mut scenario = ScriptScenario::new(self.info.name, causes, files(), args, self.max_runtime_s);
        if let Some(secret) = self.set.iter().find(|s| s.is_secret()) {
            scenario = scenario.with_input(format!("{}\n", secret.value));
        }
        if self.allow_unmarked { scenario.without_mark() } else { scenario }
    }

    /// Says what will happen to which machine, and asks, unless `yes`.
    ///
    /// # Errors
    /// `Usage` when a person says no, or nobody is there to ask.
    pub(crate) fn confirm(&self, on: &TargetInfo, baseline_s: u32, yes: bool) -> Result<(), Failure> {
        let set: String = self.set.iter().map(|set| format!(", {}={}", set.arg.name, set.shown())).collect();
        let Self { info, duration_s, max_runtime_s, .. } = self;
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

fn option(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

fn set(info: &'static ScriptInfo, text: &str) -> Result<Set, Failure> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("--set wants KEY=VALUE, such as {}=…", example(info))))?;
    if key == DURATION {
        return Err(Failure::usage("the duration has a flag of its own: --duration"));
    }
    let known = || info.args.iter().filter(|a| a.name != DURATION);
    let arg = known().find(|a| a.name == key || a.name.replace('_', "-") == key).ok_or_else(|| {
        let names: Vec<_> = known().map(|a| a.name).collect();
        Failure::usage(format!("{} has no argument {key:?}; known: {}", info.name, names.join(", ")))
    })?;
    let from_environment = || {
        let name = format!("CHAOS_HANDLER_{}", arg.name.to_uppercase());
        std::env::var(&name)
            .map_err(|_| Failure::usage(format!("{}=- takes it from {name}, which is not set", arg.name)))
    };
    let value = if arg.kind == ArgKind::Secret && value == "-" { from_environment()? } else { value.to_owned() };
    if arg.kind.accepts(&value) {
        Ok(Set { arg, value })
    } else {
        Err(Failure::usage(format!("{} wants {}", arg.name, wanted(arg.kind))))
    }
}

/// What an argument takes, for a person.
pub(crate) fn wanted(kind: ArgKind) -> String {
    match kind {
        ArgKind::Number { unit, min, max } => format!("a whole number of {unit} from {min} to {max}"),
        ArgKind::Name { of, max_len } => {
            format!("the name of {} {of}, at most {max_len} characters", if of.starts_with('i') { "an" } else { "a" })
        }
        ArgKind::Choice(words) => format!("one of {}", words.join(", ")),
        ArgKind::Secret => "one line, or - to take it from the environment".to_owned(),
    }
}

fn example(info: &ScriptInfo) -> &'static str {
    info.args.iter().find(|a| a.name != DURATION).map_or("key", |a| a.name)
}
