//! The dashboard: whether what is committed is what its sources give, and its tests in a real browser on a real server.
//! Where node, npm or the browser are missing that is said, and in CI it is a failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use crate::run::{Done, build, command, root, run};

/// What vite 8 needs.
const NODE: (u32, u32) = (20, 19);
/// Words of the names of tests that measure.
const MEASURING: [&str; 3] = ["interactive within", "scroll smoothly", "new events a second"];
const BROWSERS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

fn folder() -> PathBuf {
    root().join("chaos-server/dashboard")
}

/// Builds the dashboard, and fails when that changes a file of `dist`: what is committed was not what is built.
pub(crate) fn check() -> Done {
    if let Some(why) = no_node() {
        return skipped("the dashboard's build", &why);
    }
    install()?;
    let dist = folder().join("dist");
    let before = files(&dist)?;
    run(command("npm").current_dir(folder()).args(["run", "build"]))?;
    let after = files(&dist)?;
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed: Vec<_> = names.into_iter().filter(|n| before.get(*n) != after.get(*n)).cloned().collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!("the dashboard's dist was not what its sources give, and is now; commit it: {}", changed.join(", ")))
}

/// The tests in a browser. `words`: only tests whose names contain one of them.
pub(crate) fn browser(words: &[String]) -> Done {
    if let Some(why) = no_node().or_else(no_browser) {
        return skipped("the tests in a browser", &why);
    }
    build()?;
    in_browser("debug", words)
}

/// Those of the tests in a browser that print how long something took, on a release build.
pub(crate) fn bench() -> Done {
    if let Some(why) = no_node().or_else(no_browser) {
        return Err(format!("the dashboard can't be measured: {why}"));
    }
    run(command("cargo").args(["build", "--release", "-p", "chaos-server", "--locked"]))?;
    in_browser("release", &MEASURING.map(str::to_owned))
}

fn in_browser(profile: &str, words: &[String]) -> Done {
    install()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    let mut node = command("node");
    node.current_dir(folder())
        .env("CHAOS_HANDLER", target.join(profile).join("chaos-handler"))
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(words.iter().map(|w| format!("--test-name-pattern={w}")));
    for file in files(&folder().join("tests"))?.keys().filter(|name| name.ends_with(".test.mjs")) {
        node.arg(format!("tests/{file}"));
    }
    run(&mut node)
}

/// Says why something is not tested here, which in CI is a failure.
pub(crate) fn skipped(what: &str, why: &str) -> Done {
    if env::var_os("CI").is_some() {
        return Err(format!("{what} can't run, which in CI is a failure: {why}"));
    }
    eprintln!("xtask: skipped {what}: {why}");
    Ok(())
}

fn no_node() -> Option<String> {
    let says = |program: &str| command(program).arg("--version").output().ok().filter(|o| o.status.success());
    let Some(node) = says("node") else { return Some("there is no node".into()) };
    let version = String::from_utf8_lossy(&node.stdout).trim().to_owned();
    let mut parts = version.trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < NODE {
        return Some(format!("node is {version}, and {}.{} is needed", NODE.0, NODE.1));
    }
    says("npm").is_none().then(|| "there is no npm".into())
}

fn no_browser() -> Option<String> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    match named.or_else(|| BROWSERS.iter().map(PathBuf::from).find(|p| p.exists())) {
        Some(path) if path.exists() => None,
        Some(path) => Some(format!("CHROMIUM is {}, which is not there", path.display())),
        None => Some("there is no chromium; CHROMIUM can name one".into()),
    }
}

/// The packages of the lock file, unless they are there.
fn install() -> Done {
    let time = |name: &str| fs::metadata(folder().join(name)).and_then(|m| m.modified()).ok();
    match (time("node_modules/.package-lock.json"), time("package-lock.json")) {
        (Some(there), Some(wanted)) if there >= wanted => Ok(()),
        _ => run(command("npm").current_dir(folder()).arg("ci")),
    }
}

/// Every file below a folder, by its path there.
fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| failed(&folder, e))? {
            let path = entry.map_err(|e| failed(&folder, e))?.path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                all.insert(name, fs::read(&path).map_err(|e| failed(&path, e))?);
            }
        }
    }
    Ok(all)
}
