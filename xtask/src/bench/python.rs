//! The Python package: what importing it takes, mining beside Drain3 and beside the same engine in Rust, frames, and the
//! memory of many replays.

use std::{fs, path::Path};

use super::{
    logs::{self, DRAIN3},
    machine,
};
use crate::run::{Done, command, root, run};

const VENV: &str = "target/bench-python";

pub(super) fn all() -> Done {
    let dir = root().join("target/bench-logs");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    println!("{}", machine());
    let (log, short) = logs::mixed_logs(&dir)?;
    run(command("cargo").args(["bench", "--locked", "-p", "chaos-core", "--bench", "logs", "--"]).arg(&log))?;
    let python = package()?;
    let mut measure = command(&python);
    measure.arg("xtask/peers/with_python.py").args([&log, &short]).arg("examples/incidents/cpu_spike");
    let done = run(&mut measure);
    for file in [&log, &short] {
        let _ = fs::remove_file(file);
    }
    done
}

/// A Python that has the package as it is released.
fn package() -> Result<String, String> {
    run(command("cargo").args(["build", "--release", "--locked", "-p", "chaos-py"]))?;
    let python = format!("{VENV}/bin/python");
    if !root().join(&python).is_file() {
        run(command("python3").args(["-m", "venv", VENV]))?;
    }
    let wants = [DRAIN3, "numpy", "pandas"];
    run(command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(wants))?;
    let libraries = format!("{VENV}/packages");
    let package = root().join(&libraries).join("chaos_handler");
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(&package).map_err(|e| failed(&package, e))?;
    let source = root().join("chaos-py/python/chaos_handler");
    for file in fs::read_dir(&source).map_err(|e| failed(&source, e))?.flatten() {
        if file.path().extension().is_some_and(|e| e == "py") {
            fs::copy(file.path(), package.join(file.file_name())).map_err(|e| failed(&file.path(), e))?;
        }
    }
    let library = root().join("target/release/lib_native.so");
    fs::copy(&library, package.join("_native.abi3.so")).map_err(|e| failed(&library, e))?;
    let path = root().join(VENV).join("lib");
    for version in fs::read_dir(&path).map_err(|e| failed(&path, e))?.flatten() {
        let named = version.path().join("site-packages/packages.pth");
        fs::write(&named, format!("{}\n", root().join(&libraries).display())).map_err(|e| failed(&named, e))?;
    }
    Ok(python)
}
