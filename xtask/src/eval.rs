//! How good the analysis is, on labelled data that is no part of the project: `analyze` and `assess` by the release
//! binary, judged by the data's own scorers. Prints tables; nothing passes or fails on a figure but on those of `assess`,
//! as a part of all tests. Where the data is not there, it says so: it lies beside the workspace, in `../shared`, or
//! where `CHAOS_EVAL` says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::run::{Done, build, command, root, run};

/// What the verdicts of `assess` must come to: at least this share of the dangerous commands not called safe, and of the
/// safe ones at most these shares called dangerous, and in need of approval.
const LEAST_RECALL: f64 = 0.99;
const MOST_ALARMS: f64 = 0.03;
const MOST_FRICTION: f64 = 0.15;

/// Evaluates logs, metrics, commands, or all when nothing is named.
pub(crate) fn eval(what: &[String]) -> Done {
    let parts: Vec<&str> =
        if what.is_empty() { vec!["logs", "metrics", "commands"] } else { what.iter().map(|w| &**w).collect() };
    if let Some(unknown) = parts.iter().find(|p| !matches!(**p, "logs" | "metrics" | "commands")) {
        return Err(format!("{unknown}: what is evaluated is `logs`, `metrics` and `commands`"));
    }
    let Some(place) = place() else { return Ok(()) };
    run(command("cargo").args(["build", "--release", "--locked", "-p", "chaos-server"]))?;
    let out = target().join("eval");
    let _ = fs::remove_dir_all(&out);
    for part in parts {
        match part {
            "logs" => logs(&place, &out)?,
            "commands" => commands(&place, &out, "release")?,
            _ => metrics(&place, &out)?,
        }
    }
    Ok(())
}

/// The verdicts of `assess` as a part of all tests, by the binary that these build.
pub(crate) fn commands_where_possible() -> Done {
    let Some(place) = place() else { return Ok(()) };
    build()?;
    commands(&place, &target().join("eval"), "debug")
}

/// Where the data is, or says that it is not there.
fn place() -> Option<PathBuf> {
    let place = std::env::var_os("CHAOS_EVAL").map_or_else(|| root().join("../shared"), PathBuf::from);
    if place.join("data").is_dir() && place.join("eval").is_dir() {
        return Some(place);
    }
    println!("SKIPPED: there is no evaluation data in {} (CHAOS_EVAL names another place)", place.display());
    None
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs `analyze` with its output in a file.
fn analyze(args: &[&str], input: &Path, output: &Path) -> Done {
    let all: Vec<&str> = std::iter::once("analyze").chain(args.iter().copied()).collect();
    handler("release", &all, input, output)
}

/// Runs the binary of a profile with its output in a file.
fn handler(profile: &str, args: &[&str], input: &Path, output: &Path) -> Done {
    let dir = output.parent().expect("a file in a folder");
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let file = fs::File::create(output).map_err(|e| format!("{}: {e}", output.display()))?;
    let mut handler = command(&target().join(profile).join("chaos-handler").to_string_lossy());
    let status = handler.args(args).arg(input).stdout(file).stderr(Stdio::inherit()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{args:?} {}: {other:?}", input.display())),
    }
}

/// Prints what a scorer says, and gives it.
fn score(scorer: &Path, set: &Path, predicted: &Path, more: &[&str]) -> Result<String, String> {
    let mut python = Command::new("python3");
    python.arg(scorer).arg("--set").arg(set).arg("--pred").arg(predicted).args(more);
    let done = python.output().map_err(|e| format!("python3: {e}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    print!("{said}");
    match done.status.success() {
        true => Ok(said),
        false => Err(format!("{}: {}", scorer.display(), String::from_utf8_lossy(&done.stderr))),
    }
}

/// The same log twice: messages only, and whole lines with their headers.
fn logs(place: &Path, out: &Path) -> Done {
    let set = place.join("data/logs");
    for (file, about) in [("content.log", "messages only"), ("lines.log", "raw lines with header")] {
        let predicted = out.join(file);
        let started = Instant::now();
        for system in folders(&set)? {
            let name = system.file_name().unwrap_or_default().to_string_lossy().into_owned();
            analyze(&["logs", "--per-line", "--json"], &system.join(file), &predicted.join(format!("{name}.jsonl")))?;
        }
        println!("\nlogs, {about} ({file}), analysed in {:.1} s", started.elapsed().as_secs_f64());
        score(&place.join("eval/score_logs.py"), &set, &predicted, &[])?;
    }
    Ok(())
}

fn metrics(place: &Path, out: &Path) -> Done {
    let set = place.join("data/metrics");
    let predicted = out.join("metrics");
    let started = Instant::now();
    for group in folders(&set.join("series"))? {
        let to = predicted.join(group.file_name().unwrap_or_default());
        for series in entries(&group)?.iter().filter(|p| p.extension().is_some_and(|e| e == "csv")) {
            analyze(&["metrics", "--per-sample"], series, &to.join(series.file_name().unwrap_or_default()))?;
        }
    }
    println!(
        "\nmetrics, threshold 0.5, analysed in {:.1} s (a file is looked at as a whole: a sample's score also depends \
         on what comes after it)",
        started.elapsed().as_secs_f64()
    );
    score(&place.join("eval/score_metrics.py"), &set, &predicted, &["--threshold", "0.5"])?;
    Ok(())
}

/// Each command by itself; the scorer counts what was not caught and what was held up for nothing.
fn commands(place: &Path, out: &Path, profile: &str) -> Done {
    let dir = place.join("data/commands");
    if !dir.is_dir() {
        println!("SKIPPED: there are no commands in {}", dir.display());
        return Ok(());
    }
    for set in entries(&dir)?.iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")) {
        let predicted = out.join("commands").join(set.file_name().unwrap_or_default());
        let started = Instant::now();
        handler(profile, &["assess", "--jsonl"], set, &predicted)?;
        println!("\ncommands, {}, assessed in {:.1} s", set.display(), started.elapsed().as_secs_f64());
        good_enough(&score(&place.join("eval/score_commands.py"), set, &predicted, &[])?)?;
    }
    Ok(())
}

/// Whether the figures of the commands' scorer are as they must be.
fn good_enough(said: &str) -> Done {
    let figure = |name: &str| {
        let rest = said.lines().find_map(|line| line.strip_prefix(name));
        let value = rest.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).filter(|v| v.is_finite());
        value.ok_or_else(|| format!("the scorer does not tell {name:?}"))
    };
    let (recall, alarms, friction) = (figure("recall ")?, figure("false alarms ")?, figure("friction ")?);
    if recall < LEAST_RECALL || alarms > MOST_ALARMS || friction > MOST_FRICTION {
        return Err(format!(
            "the verdicts of assess must have a recall of {LEAST_RECALL} at least, false alarms of {MOST_ALARMS} and \
             friction of {MOST_FRICTION} at most; they have {recall}, {alarms} and {friction}"
        ));
    }
    Ok(())
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, String> {
    Ok(entries(dir)?.into_iter().filter(|p| p.is_dir()).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let read = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut all: Vec<PathBuf> = read.flatten().map(|e| e.path()).collect();
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_are_judged_worse_than_they_must_be_fail() {
        let said = |recall: &str, alarms: &str, friction: &str| {
            good_enough(&format!("recall {recall} (1 of 2)\nfalse alarms {alarms} (0 of 2)\nfriction {friction} (1)\n"))
        };
        assert_eq!(said("0.9900", "0.0300", "0.1500"), Ok(()));
        for (recall, alarms, friction) in
            [("0.9899", "0.0000", "0.0000"), ("1.0000", "0.0301", "0.0"), ("1.0", "0.0", "0.1501")]
        {
            assert!(said(recall, alarms, friction).unwrap_err().contains("must have"), "{recall} {alarms} {friction}");
        }
        assert!(good_enough("recall nan?\n").unwrap_err().contains("does not tell"));
    }
}
