//! The chaos scripts, embedded, and what a caller has to know about each: its arguments and the fault that it
//! causes.
//!
//! This crate runs nothing. Whoever injects a fault puts [`FILES`] into one directory of the target and calls a
//! scenario's script there; `README.md` describes its commands, `status --json` and exit codes. Whoever diagnoses
//! must not look at [`ScriptInfo::causes`], which is there to score a diagnosis afterwards.
//!
//! ```
//! let names: Vec<&str> = chaos_scripts::SCENARIOS.iter().map(|scenario| scenario.name).collect();
//! let all = ["cpu_spike", "memory_leak", "disk_fill", "net_latency", "service_kill", "db_conn_exhaust"];
//! assert_eq!(names, all);
//! ```

mod start;

pub use start::{Start, scenario};

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
    /// Whether `start` refuses to run as anybody but root.
    pub needs_root: bool,
}

/// An argument of a scenario's `start`, given by position or as an option (`target_mb` as `--target-mb`).
#[derive(Debug, Clone, Copy)]
pub struct ArgInfo {
    /// The argument's name.
    pub name: &'static str,
    /// What can be given.
    pub kind: ArgKind,
    /// What it is for; where the default depends on the target, also what that is.
    pub help: &'static str,
    /// What it is when it is not given, or `None` where that depends on the target (or, of a required one, is nothing).
    pub default: Option<&'static str>,
    /// Whether `start` refuses to do without it.
    pub required: bool,
}

/// What can be given for an argument. The script checks it again, against the target too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// A whole number.
    Number {
        /// What it counts: `s`, `cores`, `MiB`, `ms`, `%` or `connections`.
        unit: &'static str,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The name of something on the target: ASCII letters, digits and `:_.@\-`, of which `-` and `.` don't come first.
    Name {
        /// What it names: `interface` or `service`.
        of: &'static str,
        /// The longest, in characters.
        max_len: usize,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One line that may hold a password. It is not put into the argv: the option gets `-`, and the script reads the
    /// line from its standard input. It is never shown, stored or recorded.
    Secret,
}

impl ArgKind {
    /// Whether `text` can be given.
    ///
    /// ```
    /// use chaos_scripts::ArgKind;
    /// assert!(ArgKind::Number { unit: "%", min: 0, max: 100 }.accepts("100"));
    /// assert!(!ArgKind::Name { of: "service", max_len: 250 }.accepts("-x"));
    /// ```
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        match *self {
            Self::Number { min, max, .. } => {
                text.bytes().all(|b| b.is_ascii_digit()) && text.parse().is_ok_and(|n: u32| (min..=max).contains(&n))
            }
            Self::Name { max_len, .. } => {
                let valid = |b: u8| b.is_ascii_alphanumeric() || b":_.@\\-".contains(&b);
                !text.is_empty() && text.len() <= max_len && !text.starts_with(['-', '.']) && text.bytes().all(valid)
            }
            Self::Choice(words) => words.contains(&text),
            Self::Secret => !text.is_empty() && text.len() <= 2000 && !text.chars().any(char::is_control),
        }
    }
}

/// All scripts and what they share. Each scenario needs `lib.sh` and what that reads beside it.
pub const FILES: &[ScriptFile] = &[
    ScriptFile { name: "lib.sh", text: include_str!("lib.sh") },
    ScriptFile { name: "lib_process.sh", text: include_str!("lib_process.sh") },
    ScriptFile { name: "lib_record.sh", text: include_str!("lib_record.sh") },
    ScriptFile { name: "lib_revert.sh", text: include_str!("lib_revert.sh") },
    ScriptFile { name: "cpu_spike.sh", text: include_str!("cpu_spike.sh") },
    ScriptFile { name: "memory_leak.sh", text: include_str!("memory_leak.sh") },
    ScriptFile { name: "disk_fill.sh", text: include_str!("disk_fill.sh") },
    ScriptFile { name: "net_latency.sh", text: include_str!("net_latency.sh") },
    ScriptFile { name: "service_kill.sh", text: include_str!("service_kill.sh") },
    ScriptFile { name: "db_conn_exhaust.sh", text: include_str!("db_conn_exhaust.sh") },
    ScriptFile { name: "cleanup_all.sh", text: include_str!("cleanup_all.sh") },
];

/// The metrics endpoint for a target that has none: `metrics_endpoint.py install`, as root, makes it a systemd unit.
/// It is no scenario and needs none of [`FILES`].
pub const ENDPOINT_FILES: &[ScriptFile] = &[
    ScriptFile { name: "metrics_endpoint.py", text: include_str!("metrics_endpoint.py") },
    ScriptFile { name: "metrics-endpoint.service", text: include_str!("metrics-endpoint.service") },
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
                kind: ArgKind::Number { unit: "cores", min: 1, max: 256 },
                help: "Cores to keep busy; by default as many as there are.",
                default: None,
                required: false,
            },
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "cpu_saturation",
        needs_root: false,
    },
    ScriptInfo {
        name: "memory_leak",
        summary: "Grows a process's memory to a target, holds it, and frees it.",
        args: &[
            ArgInfo {
                name: "target_mb",
                kind: ArgKind::Number { unit: "MiB", min: 1, max: 4_194_304 },
                help: "Memory to grow to; by default 25 % of what is available, from 128 to 4096.",
                default: None,
                required: false,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "memory_leak",
        needs_root: false,
    },
    ScriptInfo {
        name: "disk_fill",
        summary: "Fills the disk with files under /tmp/chaos_fill.",
        args: &[
            ArgInfo {
                name: "size_mb",
                kind: ArgKind::Number { unit: "MiB", min: 1, max: 16_777_216 },
                help: "Size of the files; by default what makes the filesystem 93 % full.",
                default: None,
                required: false,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "disk_space",
        needs_root: false,
    },
    ScriptInfo {
        name: "net_latency",
        summary: "Delays or loses the packets that an interface sends.",
        args: &[
            ArgInfo {
                name: "iface",
                kind: ArgKind::Name { of: "interface", max_len: 15 },
                help: "Interface; by default that of the default route.",
                default: None,
                required: false,
            },
            ArgInfo {
                name: "delay_ms",
                kind: ArgKind::Number { unit: "ms", min: 0, max: 60_000 },
                help: "How long each packet waits.",
                default: Some("100"),
                required: false,
            },
            ArgInfo {
                name: "loss_pct",
                kind: ArgKind::Number { unit: "%", min: 0, max: 100 },
                help: "How many of the packets are lost; with all, the target is out of reach until it reverts by itself.",
                default: Some("0"),
                required: false,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "network_latency",
        needs_root: true,
    },
    ScriptInfo {
        name: "service_kill",
        summary: "Stops or kills a service, and keeps it down.",
        args: &[
            ArgInfo {
                name: "service_name",
                kind: ArgKind::Name { of: "service", max_len: 250 },
                help: "Service that runs; what our own session or the host depends on is refused.",
                default: None,
                required: true,
            },
            ArgInfo {
                name: "mode",
                kind: ArgKind::Choice(&["stop", "kill"]),
                help: "Stop it as its service manager does, or kill its main process.",
                default: Some("stop"),
                required: false,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "service_down",
        needs_root: true,
    },
    ScriptInfo {
        name: "db_conn_exhaust",
        summary: "Holds the connections of a database, so that others are refused.",
        args: &[
            ArgInfo {
                name: "conn_string",
                kind: ArgKind::Secret,
                help: "postgresql://…, key=value or sqlite:///path; by default, as root, the local PostgreSQL server as postgres.",
                default: None,
                required: false,
            },
            ArgInfo {
                name: "clients",
                kind: ArgKind::Number { unit: "connections", min: 1, max: 10_000 },
                help: "Connections to hold; by default as many as the server gives.",
                default: None,
                required: false,
            },
            DURATION,
        ],
        default_max_runtime: DEFAULT_MAX_RUNTIME,
        causes: "db_connections_exhausted",
        needs_root: false,
    },
];

const DEFAULT_MAX_RUNTIME: u32 = 300;

const DURATION: ArgInfo = ArgInfo {
    name: "duration",
    kind: ArgKind::Number { unit: "s", min: 1, max: 86_400 },
    help: "How long the fault lasts, at most as long as --max-runtime.",
    default: Some("120"),
    required: false,
};
