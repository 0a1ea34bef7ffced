//! From what somebody wants of a scenario to the arguments of its `start`.

use std::collections::BTreeMap;

use crate::{ArgInfo, ArgKind, SCENARIOS, ScriptInfo};

/// The argument that is given as a number of seconds of its own.
const DURATION: &str = "duration";
/// How much longer than the observation a fault lasts, where nothing is said: seconds.
const AND_THEN: u32 = 120;
/// The longest fault in seconds.
const LONGEST: u32 = 86_400;

/// A scenario with its arguments, checked as far as that can be done without the target.
#[derive(Clone)]
pub struct Start {
    /// Options for `start`, with `-` in place of a secret.
    pub args: Vec<String>,
    /// What the script reads from its standard input: the secret.
    pub input: Option<String>,
    /// How long the fault lasts.
    pub duration_s: u32,
    /// When the target reverts by itself.
    pub max_runtime_s: u32,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").field("args", &self.args).finish_non_exhaustive()
    }
}

/// The scenario of that name.
///
/// # Errors
/// When there is none, with those that there are.
pub fn scenario(name: &str) -> Result<&'static ScriptInfo, String> {
    SCENARIOS.iter().find(|s| s.name == name).ok_or_else(|| {
        let known: Vec<_> = SCENARIOS.iter().map(|s| s.name).collect();
        format!("unknown scenario {name:?}; known: {}", known.join(", "))
    })
}

impl ScriptInfo {
    /// The argument of that name, in either spelling; not the duration.
    ///
    /// # Errors
    /// When there is none, with those that there are.
    pub fn arg(&self, name: &str) -> Result<&'static ArgInfo, String> {
        let known = || self.args.iter().filter(|a| a.name != DURATION);
        known().find(|a| a.name == name || a.name.replace('_', "-") == name).ok_or_else(|| {
            let names: Vec<_> = known().map(|a| a.name).collect();
            format!("{} has no argument {name:?}; known: {}", self.name, names.join(", "))
        })
    }

    /// The arguments of `start`. Without a duration the fault outlasts `observe_s` seconds of observation; without a
    /// time at which the target reverts by itself that is the scenario's own, or the duration.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// let load = BTreeMap::from([("load".to_owned(), "1".to_owned())]);
    /// let start = chaos_scripts::scenario("cpu_spike").unwrap().start(&load, Some(60), None, 30).unwrap();
    /// assert_eq!(start.args, ["--load", "1", "--duration", "60"]);
    /// assert_eq!(start.max_runtime_s, 300);
    /// ```
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn start(
        &self,
        set: &BTreeMap<String, String>,
        duration_s: Option<u32>,
        max_runtime_s: Option<u32>,
        observe_s: u32,
    ) -> Result<Start, String> {
        let (mut args, mut input, mut given) = (Vec::new(), None, Vec::new());
        for (name, value) in set {
            let arg = self.arg(name)?;
            if given.contains(&arg.name) {
                return Err(format!("{} is set twice", arg.name));
            }
            if !arg.kind.accepts(value) {
                return Err(format!("{} wants {}", arg.name, arg.kind.wanted()));
            }
            let mut shown = value.clone();
            if arg.kind == ArgKind::Secret {
                input = Some(format!("{value}\n"));
                shown = "-".to_owned();
            }
            args.extend([option(arg.name), shown]);
            given.push(arg.name);
        }
        if let Some(missing) = self.args.iter().find(|a| a.required && !given.contains(&a.name)) {
            return Err(format!("{} wants {}: {}", self.name, missing.name, missing.kind.wanted()));
        }
        let wanted_s = duration_s.unwrap_or(observe_s.saturating_add(AND_THEN).min(LONGEST));
        let max_runtime_s = max_runtime_s.unwrap_or(self.default_max_runtime.max(wanted_s));
        // Without a word on the duration, an early revert shortens the fault.
        let duration_s = duration_s.unwrap_or(wanted_s.min(max_runtime_s));
        if duration_s == 0 || duration_s > max_runtime_s {
            return Err(format!(
                "the duration ({duration_s} s) must be from 1 s to the time of --max-runtime ({max_runtime_s} s), \
                 when the target reverts by itself"
            ));
        }
        args.extend([option(DURATION), duration_s.to_string()]);
        Ok(Start { args, input, duration_s, max_runtime_s })
    }
}

impl ArgKind {
    /// What is accepted, for a person.
    #[must_use]
    pub fn wanted(&self) -> String {
        match *self {
            Self::Number { unit, min, max } => format!("a whole number of {unit} from {min} to {max}"),
            Self::Name { of, max_len } => {
                let article = if of.starts_with('i') { "an" } else { "a" };
                format!("the name of {article} {of}, at most {max_len} characters")
            }
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Secret => "one line, or - to take it from the environment".to_owned(),
        }
    }
}

fn option(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}
