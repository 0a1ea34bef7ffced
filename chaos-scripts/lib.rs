//! The chaos scripts, embedded, and what a caller has to know about each: its arguments and the fault that it
//! causes.
//!
//! This crate runs nothing. Whoever injects a fault puts [`FILES`] into one directory of the target and calls a
//! scenario's script there; `README.md` describes its commands, `status --json` and exit codes. Whoever diagnoses
//! must not look at [`ScriptInfo::causes`], which is there to score a diagnosis afterwards.
//!
//! ```
//! let names: Vec<&str> = chaos_scripts::SCENARIOS.iter().map(|scenario| scenario.name).collect();
//! assert_eq!(names, ["cpu_spike", "memory_leak", "disk_fill"]);
//! ```

/// One of the files that belong together in a directory of the target.
#[derive(Debug, Clone, Copy)]
pub struct ScriptFile {
    /// The file's name, without a directory.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// A scenario: the script `{name}.sh`.
#[derive(Debug, Clone, Copy)]
pub struct ScriptInfo {
    /// The scenario's name.
    pub name: &'static str,
    /// What it does to the target, in one sentence.
    pub summary: &'static str,
    /// The arguments of `start`, in positional order.
    pub args: &'static [ArgInfo],
    /// Seconds until the armed revert fires, unless `--max-runtime` says otherwise.
    pub default_max_runtime: u32,
    /// The id of the fault that a right diagnosis names.
    pub causes: &'static str,
}

/// An argument of a scenario's `start`: a whole number, given by position or as an option (`target_mb` as
/// `--target-mb`).
#[derive(Debug, Clone, Copy)]
pub struct ArgInfo {
    /// The argument's name.
    pub name: &'static str,
    /// What the number counts: `s`, `cores`, or `MiB`.
    pub unit: &'static str,
    /// What it is for; where the default depends on the target, also what that is.
    pub help: &'static str,
    /// What it is when it is not given, or `None` where that depends on the target.
    pub default: Option<&'static str>,
}

/// All scripts and what they share. Each scenario needs `lib.sh` beside it.
pub const FILES: &[ScriptFile] = &[
    ScriptFile { name: "lib.sh", text: include_str!("lib.sh") },
    ScriptFile { name: "cpu_spike.sh", text: include_str!("cpu_spike.sh") },
    ScriptFile { name: "memory_leak.sh", text: include_str!("memory_leak.sh") },
    ScriptFile { name: "disk_fill.sh", text: include_str!("disk_fill.sh") },
    ScriptFile { name: "cleanup_all.sh", text: include_str!("cleanup_all.sh") },
];

/// All scenarios.
pub const SCENARIOS: &[ScriptInfo] = &[
    ScriptInfo {
        name: "cpu_spike",
        summary: "Keeps CPU cores busy with computing.",
        args: &[
            DURATION,
            ArgInfo {
                name: "load",
                unit: "cores",
                help: "Cores to keep busy; by default as many as there are.",
                default: None,
            },
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "cpu_saturation",
    },
    ScriptInfo {
        name: "memory_leak",
        summary: "Grows a process's memory to a target, holds it, and frees it.",
        args: &[
            ArgInfo {
                name: "target_mb",
                unit: "MiB",
                help: "Memory to grow to; by default 25 % of what is available, from 128 to 4096.",
                default: None,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "memory_leak",
    },
    ScriptInfo {
        name: "disk_fill",
        summary: "Fills the disk with files under /tmp/chaos_fill.",
        args: &[
            ArgInfo {
                name: "size_mb",
                unit: "MiB",
                help: "Size of the files; by default what makes the filesystem 93 % full.",
                default: None,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "disk_space",
    },
];

const DEFAULT_MAX_RUNTIME: u32 = 300;

const DURATION: ArgInfo = ArgInfo {
    name: "duration",
    unit: "s",
    help: "How long the fault lasts, at most as long as --max-runtime.",
    default: Some("120"),
};
