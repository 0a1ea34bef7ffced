//! Runs the tests and the lints, and says what it runs. Installs nothing: `.ci/run` does.

use std::{path::PathBuf, process::Command};

use crate::{api, dashboard, e2e, eval, python};

pub(crate) type Done = Result<(), String>;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// A command in the workspace's folder; cargo by the path of the one that runs us.
pub(crate) fn command(program: &str) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(if program == "cargo" { cargo.as_str() } else { program });
    command.current_dir(root());
    command
}

/// Runs to the end with its output passed through.
pub(crate) fn run(command: &mut Command) -> Done {
    let shown = format!("{command:?}").replace('"', "");
    eprintln!("xtask: {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(e) => Err(format!("{shown}: {e}")),
    }
}

/// Builds all that tests run. As `cargo test` does: without the tests the dependencies get other features, and all is built
/// a second time.
pub(crate) fn build() -> Done {
    run(command("cargo").args(["build", "--workspace", "--all-features", "--locked", "--lib", "--bins", "--tests"]))
}

pub(crate) fn test() -> Done {
    run(command("cargo").args(["test", "--workspace", "--all-features", "--locked"]))?;
    eval::commands_where_possible()?;
    api::test()?;
    dashboard::browser(&[])?;
    python::test(&[])?;
    e2e::test_where_possible()
}

pub(crate) fn lint() -> Done {
    run(command("cargo").args(["fmt", "--all", "--check"]))?;
    run(command("cargo").args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut docs = command("cargo");
    docs.args(["doc", "--workspace", "--no-deps", "--all-features", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
    run(&mut docs)?;
    run(command("cargo").args(["package", "-p", "chaos-core", "--locked", "--allow-dirty", "--no-verify"]))?;
    dashboard::check()?;
    let scripts = tracked_scripts()?;
    run(command("shellcheck").args(&scripts))
}

/// Every shell script that git tracks, by its first line.
fn tracked_scripts() -> Result<Vec<String>, String> {
    let listed = command("git").arg("ls-files").output().map_err(|e| format!("git ls-files: {e}"))?;
    let is_shell = |name: &&str| {
        let Ok(bytes) = std::fs::read(root().join(name)) else { return false };
        let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        name.ends_with(".sh") || first.starts_with(b"#!/bin/sh") || first.starts_with(b"#!/usr/bin/env bash")
    };
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    // What a run of ours wrote is data, and so is what the parser is fed with: odd on purpose.
    let is_data = |n: &str| n.starts_with("examples/incidents/") || n.contains("/tests/fuzz/seeds/");
    Ok(names.lines().filter(|n| !is_data(n)).filter(is_shell).map(str::to_owned).collect())
}
