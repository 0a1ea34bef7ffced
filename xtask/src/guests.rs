//! The examples in Python and JavaScript: their tools are fetched, the examples built by them, and what comes out is run on a
//! recorded incident. A command of its own: a component in Python holds CPython, and compiling that takes an optimised
//! build ten seconds, and minutes one that is not.

use std::{fs, path::PathBuf};

use crate::run::{Done, command, root, run};

/// As the templates and the README of chaos-plugins name them.
const PYTHON: &str = "componentize-py==0.25.1";
const JAVASCRIPT: &str = "componentize-qjs@0.4.5";
const TOOLS: &str = "target/guest-tools";

pub(crate) fn test() -> Done {
    let tools = root().join(TOOLS);
    fs::create_dir_all(&tools).map_err(|e| format!("{}: {e}", tools.display()))?;
    let mut tests = command("cargo");
    tests.args(["test", "--release", "--locked", "-p", "chaos-server", "--test", "cli", "in_other_languages", "--"]);
    tests.arg("--nocapture");
    let mut there = 0;
    for (variable, got) in [("COMPONENTIZE_PY", python(&tools)), ("COMPONENTIZE_QJS", javascript(&tools))] {
        match got {
            Ok(tool) => {
                tests.env(variable, tool);
                there += 1;
            }
            Err(why) => eprintln!("xtask: skipped one language: {why}"),
        }
    }
    if there == 0 {
        return Err("neither tool can be had here".into());
    }
    run(&mut tests)
}

fn python(tools: &std::path::Path) -> Result<PathBuf, String> {
    let venv = tools.join("venv");
    let tool = venv.join("bin/componentize-py");
    if !tool.is_file() {
        run(command("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON];
        run(command(&venv.join("bin/python").to_string_lossy()).args(pip))?;
    }
    Ok(tool)
}

fn javascript(tools: &std::path::Path) -> Result<PathBuf, String> {
    let tool = tools.join("node_modules/.bin/componentize-qjs");
    if !tool.is_file() {
        run(command("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(tools)
            .arg(JAVASCRIPT))?;
    }
    Ok(tool)
}
