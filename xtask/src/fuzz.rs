//! Runs the fuzz targets in `fuzz/` under libFuzzer, each for a bounded time. The same targets run on their seeds and
//! changes of them in `cargo xtask test`, whatever the toolchain.

use std::{path::Path, process::Stdio};

use crate::run::{Done, command, root, run};

/// Seconds of each target.
const SECONDS: u32 = 20;
/// Bytes of an input.
const LONGEST: u32 = 4096;

/// `words`: how many seconds each target gets, then names of targets; without names all.
pub(crate) fn fuzz(words: &[String]) -> Done {
    let (seconds, wanted) = match words.split_first() {
        None => (SECONDS, words),
        Some((first, rest)) => match first.parse() {
            Ok(seconds) => (seconds, rest),
            Err(_) => (SECONDS, words),
        },
    };
    if let Some(missing) = missing() {
        eprintln!("xtask: fuzzing SKIPPED: {missing}");
        return Ok(());
    }
    let seeds = root().join("chaos-core/tests/fuzz/seeds");
    let known = targets(&seeds)?;
    if let Some(unknown) = wanted.iter().find(|w| !known.contains(w)) {
        return Err(format!("{unknown}: there is no such target; there are {}", known.join(", ")));
    }
    for target in known {
        if !wanted.is_empty() && !wanted.contains(&target) {
            continue;
        }
        let corpus = root().join("fuzz/corpus").join(&target);
        std::fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
        // Nothing here is unsafe, so no sanitizer has anything to find.
        let mut fuzz = command("rustup");
        fuzz.args(["run", "nightly", "cargo", "fuzz", "run", "--sanitizer", "none", &target]);
        fuzz.arg(&corpus).arg(seeds.join(&target)).arg("--");
        fuzz.args([format!("-max_total_time={seconds}"), format!("-max_len={LONGEST}"), "-timeout=20".to_owned()]);
        fuzz.arg("-verbosity=0");
        run(fuzz.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN"))?;
    }
    Ok(())
}

/// What is not on this machine, if anything.
fn missing() -> Option<&'static str> {
    let works = |program: &str, args: &[&str]| {
        let mut command = command(program);
        command
            .args(args)
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    if !works("rustup", &["run", "nightly", "cargo", "--version"]) {
        return Some("there is no nightly toolchain (`rustup toolchain install nightly`)");
    }
    if !works("rustup", &["run", "nightly", "cargo", "fuzz", "--version"]) {
        return Some("there is no cargo-fuzz (`cargo install cargo-fuzz --locked`)");
    }
    if !works("c++", &["--version"]) {
        return Some("there is no C++ compiler, of which libFuzzer is built");
    }
    None
}

/// The names of all targets: those of their seeds' folders.
fn targets(seeds: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(seeds).map_err(|e| format!("{}: {e}", seeds.display()))?;
    let mut names: Vec<_> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}
