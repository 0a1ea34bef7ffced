//! What can be typed after `plugins`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  chaos-handler plugins new my-detector            in Rust; --lang python or js
  chaos-handler plugins build my-detector          my-detector/my-detector.wasm
  chaos-handler plugins check my-detector/*.wasm   is it a plugin, and what does it ask for?
  chaos-handler plugins test my-detector/my-detector.wasm incidents/inc-20261124-001
  chaos-handler run --plugin my-detector/my-detector.wasm

A plugin that asks to run commands on the target runs only after `plugins grant`, for exactly its content.";

/// What to do with plugins: detectors and fixers of others, as WebAssembly components.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Plugins {
    /// Begin a plugin: a directory with code, manifest and contract.
    New(NewArgs),
    /// Build a plugin's directory to a component with its manifest.
    Build(BuildArgs),
    /// Say what a component is, what it asks for, and whether a dry call works. Nothing of it reaches a target.
    Check(CheckArgs),
    /// List the plugins of the configuration, or of these paths, and what was granted to each.
    List(ListArgs),
    /// Run a plugin over a recorded incident and print what it finds or proposes.
    Test(TestArgs),
    /// Grant a plugin, as it is now, the commands that it asks for, after asking you.
    Grant(GrantArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Lang {
    Rust,
    Python,
    Js,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PluginKind {
    Detector,
    Fixer,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The agent's name in trace and report: a-z, 0-9 and -.
    pub(crate) name: String,
    /// The language.
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) lang: Lang,
    /// What it does.
    #[arg(long, value_enum, default_value = "detector")]
    pub(crate) kind: PluginKind,
    /// The new directory [default: NAME].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The plugin's directory, with plugin.toml and Cargo.toml, app.py or plugin.js.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A component that was built otherwise: only the manifest is put into it.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// The component to write [default: NAME.wasm in DIR].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Components.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Components, or directories of them [default: those of the configuration].
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) grants: GrantsFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The recorded incident's directory, or the id of one in --incidents, or `latest`.
    pub(crate) incident: PathBuf,
    #[command(flatten)]
    pub(crate) grants: GrantsFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A value in place of the one in its manifest; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// A limit in place of the default: memory_mb, time_ms, output_kb, log_lines or commands; may be repeated.
    #[arg(long, value_name = "KEY=NUMBER")]
    pub(crate) limit: Vec<String>,
    #[command(flatten)]
    pub(crate) grants: GrantsFile,
    /// Grant it without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GrantsFile {
    /// The file of grants [default: ~/.config/chaos-handler/plugin-grants.toml].
    #[arg(
        id = "plugin_grants",
        long = "plugin-grants",
        value_name = "FILE",
        env = "CHAOS_HANDLER_PLUGIN_GRANTS",
        hide_env_values = true
    )]
    pub(crate) file: Option<PathBuf>,
}

/// Plugins for a run.
#[derive(Debug, Args)]
pub(crate) struct WithPlugins {
    /// A detector or fixer of others: a component, or a directory of them; may be repeated.
    #[arg(long = "plugin", value_name = "PATH")]
    pub(crate) plugins: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) grants: GrantsFile,
}
