//! The Python package: whether its stubs are what the module is, and its tests in an environment of their own, on the
//! module as the workspace's tests have built it. Where there is no Python to do so, that is said; in CI it is a failure.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    dashboard::skipped,
    run::{Done, build, command, root, run},
};

/// The oldest Python that the package is for.
const OLDEST: (u32, u32) = (3, 11);

fn package() -> PathBuf {
    root().join("chaos-py/python/chaos_handler")
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// All tests of the package, or those that `words` select, as pytest takes them.
pub(crate) fn test(words: &[String]) -> Done {
    if let Some(why) = no_python() {
        return skipped("the Python package's tests", &why);
    }
    module()?;
    let python = match environment() {
        Ok(python) => python,
        Err(why) => return skipped("the Python package's tests", &why),
    };
    let mut pytest = Command::new(&python);
    pytest.current_dir(root().join("chaos-py")).args(["-m", "pytest", "-q"]).args(words);
    run(&mut pytest)
}

/// Builds the module, puts it into the package, and compares the committed stubs with what it is.
fn module() -> Done {
    build()?;
    let library = target().join("debug/lib_native.so");
    let module = package().join("_native.abi3.so");
    // A new file in its place: a Python that has the old one loaded keeps it.
    let fresh = module.with_extension("new");
    fs::copy(&library, &fresh)
        .and_then(|_| fs::rename(&fresh, &module))
        .map_err(|e| format!("{} to {}: {e}", library.display(), module.display()))?;
    stubs(&library)
}

fn stubs(library: &PathBuf) -> Done {
    let seen = pyo3_introspection::introspect_cdylib(library, "_native")
        .map_err(|e| format!("{}: what the module is can't be read: {e}", library.display()))?;
    let files = pyo3_introspection::module_stub_files(&seen);
    let (_, text) = files.iter().next().ok_or("the module has no stubs")?;
    let path = package().join("_native.pyi");
    if fs::read_to_string(&path).is_ok_and(|committed| committed == *text) {
        return Ok(());
    }
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Err(format!("{} was not what the module is, and is now; commit it", path.display()))
}

/// A Python with what the tests need, and the package as it lies here.
fn environment() -> Result<PathBuf, String> {
    let place = target().join("python");
    let python = place.join("bin/python");
    let wanted = root().join("chaos-py/tests/requirements.txt");
    let wants = fs::read_to_string(&wanted).map_err(|e| format!("{}: {e}", wanted.display()))?;
    let has = place.join("requirements.txt");
    if !fs::read_to_string(&has).is_ok_and(|text| text == wants) {
        run(command("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted);
        run(&mut pip)?;
        fs::write(&has, wants).map_err(|e| format!("{}: {e}", has.display()))?;
    }
    let asks = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let said = Command::new(&python).args(["-c", asks]).output().map_err(|e| format!("{}: {e}", python.display()))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
    let source = root().join("chaos-py/python");
    fs::write(libraries.join("chaos_handler.pth"), format!("{}\n", source.display()))
        .map_err(|e| format!("{}: {e}", libraries.display()))?;
    Ok(python)
}

fn no_python() -> Option<String> {
    let asks = "import sys, venv, ensurepip; print(*sys.version_info[:2])";
    let said = command("python3").args(["-c", asks]).output();
    let Some(said) = said.ok().filter(|o| o.status.success()) else {
        return Some("there is no python3 with venv and pip (Debian: python3-venv)".into());
    };
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut parts = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (version < OLDEST)
        .then(|| format!("python3 is {}.{}, and {}.{} is needed", version.0, version.1, OLDEST.0, OLDEST.1))
}
