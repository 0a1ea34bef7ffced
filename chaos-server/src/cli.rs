//! What can be typed, and the help that teaches it. Nothing is done here.

mod plugins;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::plugins::{
    BuildArgs, CheckArgs, GrantArgs, GrantsFile, Lang, ListArgs, NewArgs, PluginKind, Plugins, TestArgs, WithPlugins,
};
use crate::{
    config::{Endpoint, Seconds},
    exit,
};

const EXAMPLES: &str = "\
Examples:
  chaos-handler run                        what is wrong with this machine?
  chaos-handler run --offline logs/ m.prom the same of files, with no machine
  chaos-handler run cpu_spike --set load=2 break it, diagnose blind, revert
  chaos-handler show                       what came out of the latest run
  chaos-handler report | less              its post-mortem
  chaos-handler replay inc-20261124-001    think again, to the same bytes
  chaos-handler cleanup                    end all faults of ours, proven
  chaos-handler run --target sre@web1      what is wrong with that machine?
  chaos-handler analyze logs app.log       its templates, and what asks for attention
  chaos-handler assess fix.sh              what would running this risk?
  chaos-handler serve                      the same over HTTP, with a dashboard

--target is any Host of ~/.ssh/config, [user@]host[:port] or ssh://user@host:port.";

const LABELS: &str = "\
label.toml says what was really wrong:
  fault = \"cpu_saturation\"   # a fault's id, healthy, or unknown
  also = [\"service_down\"]    # what else was wrong; to name it is no mistake
  [culprit]                  # what a diagnosis has to name, if anything
  kind = \"process\"
  command = \"report-builder\"";

const CONFIGURATION: &str = "\
Configuration, by default ./chaos-handler.toml or ~/.config/chaos-handler/config.toml:
  incidents = \"incidents\"         # directory of incidents
  baseline = \"20s\"                # only for runs with a scenario
  observe = 30
  log_files = [\"/var/log/app.log\"]
  metrics = \"9100/metrics\"        # an endpoint on the target
  target = \"web1\"                # in place of local
  rehearse = true                # plans in a sandbox on the target, where there can be one
  allow_apply = false            # approved plans may be applied
  plugins = [\"plugins/\"]         # detectors and fixers of others: files, or directories of *.wasm
  plugin_grants = \"grants.toml\"  # what they may do, in place of ~/.config/chaos-handler/plugin-grants.toml
  slack_webhook = \"https://…\"     # or CHAOS_HANDLER_SLACK_WEBHOOK
  pagerduty_key = \"…\"            # or CHAOS_HANDLER_PAGERDUTY_KEY
  [ssh]
  config = \"ssh_config\"          # in place of ~/.ssh/config
  identity = \"~/.ssh/id_ed25519\"
  host_keys = [\"SHA256:…\"]       # the target's key must be one of these; no known_hosts file is asked
  accept_new_host_keys = false
  [server], [targets.NAME], [[alerts]]  # for `serve`; README.md has them all
Flags come first, then CHAOS_HANDLER_* variables, then the file.";

/// Answers incidents on Linux hosts.
///
/// It collects logs and metrics, finds what is abnormal, works out the cause, proposes a fix, rehearses it without
/// touching the host, and writes a post-mortem. Looking is read-only, and a fix is never executed. A fault is
/// injected only when you name a scenario and say yes, and the target reverts it by itself whatever happens here.
#[derive(Debug, Parser)]
#[command(name = "chaos-handler", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = format!("{EXAMPLES}\n\nSee --help for the configuration file and the exit codes."))]
#[command(after_long_help = format!("{EXAMPLES}\n\n{CONFIGURATION}\n\n{}", exit::HELP))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Configuration file, in place of the one that is found.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "FILE",
        env = "CHAOS_HANDLER_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Directory of incidents [default: incidents].
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "DIR",
        env = "CHAOS_HANDLER_INCIDENTS",
        hide_env_values = true
    )]
    pub(crate) incidents: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer an incident: one that is there, or one of our own making.
    Run(Box<RunArgs>),
    /// Think a recorded incident over again; the outputs are the same to the byte.
    Replay(ReplayArgs),
    /// List the incidents.
    List(Json),
    /// Show an incident: when, what, why, and its files.
    Show(ShowArgs),
    /// Tell how a diagnosis came about: what was abnormal, what was asked, what settled it.
    Explain(ShowArgs),
    /// Say what an incident's cause really was: later incidents of the target learn from it.
    Confirm(ConfirmArgs),
    /// Approve one plan of an incident, by its hash; it is applied by `apply`.
    Approve(ApproveArgs),
    /// Apply the plan that was approved: check, act, verify, roll back, look again.
    Apply(ApplyArgs),
    /// Check that an incident's trace and files are what was written.
    Verify(ShowArgs),
    /// Print an incident's post-mortem.
    Report(ReportArgs),
    /// Stop an incident that another process runs: it reverts and reports what it knows.
    Stop(StopArgs),
    /// List the scenarios: faults to inject, and their arguments.
    Scenarios(Json),
    /// End every fault of ours on a target, and prove that it is gone.
    Cleanup(Target),
    /// Put the scripts of the faults on a target, or look at them there.
    #[command(subcommand)]
    Scripts(Scripts),
    /// Look at files of logs or metrics, without an incident.
    #[command(subcommand)]
    Analyze(Analyze),
    /// Say what a command or a script risks, by its text alone: safe, needs approval, or dangerous.
    Assess(AssessArgs),
    /// Run a script in a sandbox on a target and say what it would change there: files, and programs it would call.
    Rehearse(RehearseArgs),
    /// Detectors and fixers of others: begin, build, check, test and grant them.
    #[command(subcommand)]
    Plugins(Plugins),
    /// Think labelled incidents over again, and say how good the diagnoses are.
    Eval(EvalArgs),
    /// Answer over HTTP: an API and a dashboard, for many incidents at once.
    Serve(ServeArgs),
}

/// What kind of files.
#[derive(Debug, Subcommand)]
pub(crate) enum Analyze {
    /// The templates of logs: how often, how severe, since when, and what is new.
    Logs(AnalyzeLogsArgs),
    /// What changed in metrics: levels, trends and where they end, samples that are unusual.
    Metrics(AnalyzeMetricsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AnalyzeLogsArgs {
    /// Log files of any format; `-` is standard input, gzip and Zstandard are unpacked.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A log of when all was well: what is not in it is new.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show what stands where templates vary: which client, which path. JSON has it always.
    #[arg(long)]
    pub(crate) values: bool,
    /// With --json: one object for each line of the input, in its order, in place of the templates.
    #[arg(long, requires = "json")]
    pub(crate) per_line: bool,
    /// A first look only, for a log that is large: how many lines at which levels, and which tell of trouble.
    #[arg(long, conflicts_with_all = ["baseline", "values", "per_line"])]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AnalyzeMetricsArgs {
    /// CSV (a time, then values), metrics.json or Prometheus text; `-` is standard input, gzip and Zstandard are
    /// unpacked.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only this series, by its name or as it is shown.
    #[arg(long, value_name = "NAME")]
    pub(crate) series: Option<String>,
    /// Where a trend ends: then the time until it gets there is told.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) limit: Option<f64>,
    /// Write a chart of each series into this directory, as SVG.
    #[arg(long, value_name = "DIR")]
    pub(crate) chart: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print `timestamp,value,anomaly_score` for each row of the input; scores are 0 to 1, from 0.5 on an alert.
    #[arg(long, conflicts_with_all = ["json", "chart", "limit"])]
    pub(crate) per_sample: bool,
}

/// What to do with the scripts on a target.
#[derive(Debug, Subcommand)]
pub(crate) enum Scripts {
    /// Put them there: in /opt/chaos-scripts as root, else in a directory of the user's own.
    Install(InstallArgs),
    /// What each fault is doing there now.
    Status(StatusArgs),
    /// Compare them with ours, by checksum.
    Verify(Target),
}

#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Mark the machine as fair game: from then on faults may be injected into it.
    #[arg(long)]
    pub(crate) allow_chaos: bool,
    /// Mark it without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) json: Json,
}

const RUN_EXAMPLES: &str = "\
Examples:
  chaos-handler run --observe 2m --log-file /srv/app/app.log --metrics 9100/metrics
  chaos-handler run memory_leak --set target_mb=512 --baseline 30 --observe 60
  chaos-handler run disk_fill --yes --json | jq -r 'select(.type == \"diagnosis\").content'
  chaos-handler run --offline /var/log/incident-42/

Without a scenario the incident is there already: there is no baseline unless you ask for one, and what is \
usual is learned from the logs' own past. With one, the machine is watched for --baseline (20 s), the fault is \
started, and the machine is watched for --observe (30 s); the diagnosis never learns which fault it was.

Ctrl-C ends a run early: the fault is reverted, and what is known by then is reported. \
`chaos-handler --help` has the configuration file and the exit codes.";

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// The fault to inject, see `chaos-handler scenarios`; without it, whatever is wrong now is looked at.
    pub(crate) scenario: Option<String>,
    /// An argument of the scenario; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", requires = "scenario")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How long the fault lasts [default: --observe and 2 minutes].
    #[arg(long, value_name = "TIME", requires = "scenario")]
    pub(crate) duration: Option<Seconds>,
    /// When the target reverts by itself, counted from the fault's start [default: 5m, or --duration if longer].
    #[arg(long, value_name = "TIME", requires = "scenario")]
    pub(crate) max_runtime: Option<Seconds>,
    /// How long to watch the target as it usually is [default: 20 with a scenario, else 0].
    #[arg(long, value_name = "TIME", env = "CHAOS_HANDLER_BASELINE", hide_env_values = true)]
    pub(crate) baseline: Option<Seconds>,
    /// How long to watch it while something may be wrong [default: 30].
    #[arg(long, value_name = "TIME", env = "CHAOS_HANDLER_OBSERVE", hide_env_values = true)]
    pub(crate) observe: Option<Seconds>,
    /// A log file on the target beyond those that are found; may be repeated.
    #[arg(
        long = "log-file",
        value_name = "FILE",
        env = "CHAOS_HANDLER_LOG_FILES",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) log_files: Vec<String>,
    /// A Prometheus endpoint on the target's own loopback.
    #[arg(long, value_name = "PORT/PATH", env = "CHAOS_HANDLER_METRICS", hide_env_values = true)]
    pub(crate) metrics: Option<Endpoint>,
    /// Read these files and directories in place of a machine: *.json, *.prom and *.csv are metrics, the rest logs.
    #[arg(long, visible_alias = "mock", value_name = "PATH", num_args = 1.., conflicts_with = "scenario")]
    pub(crate) offline: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) plugins: WithPlugins,
    /// Print the events as JSON lines, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// Don't try the plan in a sandbox on the target.
    #[arg(long)]
    pub(crate) no_rehearse: bool,
    /// Inject the fault without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Inject it although the target is not marked as fair game.
    #[arg(long, requires = "scenario")]
    pub(crate) allow_unmarked: bool,
}

/// Which machine, and how it is reached.
#[derive(Debug, Default, Args)]
pub(crate) struct Target {
    /// The machine: `local` is this one; else a Host of ~/.ssh/config, user@host:port, or ssh://user@host:port
    /// [default: local].
    #[arg(long, value_name = "TARGET", env = "CHAOS_HANDLER_TARGET", hide_env_values = true)]
    pub(crate) target: Option<String>,
    /// A private key to log in with, before those of the SSH configuration.
    #[arg(long, short, value_name = "FILE", env = "CHAOS_HANDLER_IDENTITY", hide_env_values = true)]
    pub(crate) identity: Option<PathBuf>,
    /// SSH configuration file, in place of ~/.ssh/config and the machine's.
    #[arg(long, short = 'F', value_name = "FILE", env = "CHAOS_HANDLER_SSH_CONFIG", hide_env_values = true)]
    pub(crate) ssh_config: Option<PathBuf>,
    /// The target's host key must be this one (SHA256:…); no known_hosts file is asked; may be repeated.
    #[arg(long = "host-key", value_name = "FINGERPRINT")]
    pub(crate) host_keys: Vec<String>,
    /// Note the key of a host that is new, and trust it from then on; a changed key is still refused.
    #[arg(long, conflicts_with = "host_keys")]
    pub(crate) accept_new_host_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; any address but this machine's own wants tokens in the configuration [default:
    /// 127.0.0.1:8087].
    #[arg(long, value_name = "ADDRESS:PORT", env = "CHAOS_HANDLER_LISTEN", hide_env_values = true)]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Print one line of JSON when it is ready, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recorded incident's directory, or the id of one in --incidents, or `latest`.
    pub(crate) incident: PathBuf,
    /// Where the outputs go, below the incident's id.
    #[arg(long, value_name = "DIR", default_value = "replay")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) plugins: WithPlugins,
    /// Print the events as JSON lines, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = LABELS)]
pub(crate) struct EvalArgs {
    /// Directories of recorded incidents with a label.toml beside the recording, or such an incident's own.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Catalogue files, or directories of them, beside the built-in entries.
    #[arg(long = "catalogue", value_name = "PATH")]
    pub(crate) catalogues: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const REHEARSE_EXAMPLES: &str = "\
It needs root on the target, or sudo that does not ask. The script runs as root in namespaces of its own, on a layer
over the target's file systems that is thrown away; it ends with 10 when the script failed there, and with 3 when the
target can have no sandbox.

Examples:
  chaos-handler rehearse fix.sh --target web-1
  echo 'rm -rf /srv/cache/*' | chaos-handler rehearse - --target web-1";

const ASSESS_EXAMPLES: &str = "\
Examples:
  chaos-handler assess fix.sh
  echo 'rm -rf \"$DIR\"/*' | chaos-handler assess
  chaos-handler assess --jsonl commands.jsonl | jq -r .verdict

Nothing is run. `safe` reads only, or is ordinary work in the working directory or a scratch directory; what can't \
be told apart from worse needs approval. The exit code is 0 for safe, 11 for needs approval, 12 for dangerous; with \
--jsonl it is 0, or 2 when a line could not be read.";

#[derive(Debug, Args)]
#[command(after_help = ASSESS_EXAMPLES)]
pub(crate) struct AssessArgs {
    /// A shell script, or a command as it is typed; `-` is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Each line is an object with `command`; for each one is printed, with `verdict`, `categories` and `reasons`.
    #[arg(long, conflicts_with = "json")]
    pub(crate) jsonl: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = REHEARSE_EXAMPLES)]
pub(crate) struct RehearseArgs {
    /// Scripts for bash, such as a fix.sh, one after the other in one sandbox; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Seconds that each script may take; 20 at most.
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) timeout: u32,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The incident's id, or `latest`.
    #[arg(default_value = "latest")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("outcome").required(true))]
pub(crate) struct ConfirmArgs {
    /// The incident's id, or `latest`.
    pub(crate) id: String,
    /// What it was: a fault's id as in the report, or `healthy` for a false alarm.
    #[arg(long, group = "outcome", value_name = "FAULT")]
    pub(crate) cause: Option<String>,
    /// The named cause was the one.
    #[arg(long, group = "outcome")]
    pub(crate) right: bool,
    /// The named cause was not it, and what it was is not known, or none of the faults that are known here.
    #[arg(long, group = "outcome")]
    pub(crate) wrong: bool,
    /// Take back what was said.
    #[arg(long, group = "outcome")]
    pub(crate) undo: bool,
    /// Who says so; the user's name when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Why, or what it was instead.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// More faults to choose from, as with `eval`.
    #[arg(long = "catalogue", value_name = "FILE")]
    pub(crate) catalogues: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The incident's id, or `latest`.
    pub(crate) id: String,
    /// The plan's hash as in the report and in fix.sh, or its first eight characters and more.
    #[arg(long, value_name = "SHA256")]
    pub(crate) plan: String,
    /// Why it may be applied.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who approves; the user's name when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// For how long the approval is good.
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    pub(crate) expires: Seconds,
    /// Agree to what the risk assessment calls dangerous.
    #[arg(long)]
    pub(crate) dangerous: bool,
    /// Allow changes to targets, as `allow_apply = true` in the configuration file does.
    #[arg(long = "allow-apply", env = "CHAOS_HANDLER_ALLOW_APPLY")]
    pub(crate) allow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The incident's id, or `latest`.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Apply what is dangerous, which must have been agreed to as well.
    #[arg(long)]
    pub(crate) dangerous: bool,
    /// Allow changes to targets, as `allow_apply = true` in the configuration file does.
    #[arg(long = "allow-apply", env = "CHAOS_HANDLER_ALLOW_APPLY")]
    pub(crate) allow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The incident's id, or `latest`.
    #[arg(default_value = "latest")]
    pub(crate) id: String,
    /// Print where the report is in place of the report.
    #[arg(long)]
    pub(crate) path: bool,
    /// In which form; all but Markdown are written beside it, and where is printed.
    #[arg(long, value_enum, default_value = "md")]
    pub(crate) format: Form,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Markdown, as it was written.
    Md,
    /// One page, with its charts in it.
    Html,
    /// For paper.
    Pdf,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The incident's id, or `latest`.
    pub(crate) id: String,
    /// Do not wait until it has ended.
    #[arg(long)]
    pub(crate) no_wait: bool,
}
