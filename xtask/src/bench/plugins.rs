//! What plugins cost, and the same detector under Extism beside them, in one run.

use super::machine;
use crate::run::{Done, command, root, run};

const PEER: &str = "xtask/peers/extism";
const WASM: &str = "wasm32-unknown-unknown";

pub(super) fn all() -> Done {
    println!("{}", machine());
    run(command("cargo").args(["bench", "--locked", "-p", "chaos-plugins", "--bench", "plugins"]))?;
    let sysroot = command("rustc").args(["--print", "sysroot"]).output().map_err(|e| format!("rustc: {e}"))?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if !std::path::Path::new(&sysroot).join("lib/rustlib").join(WASM).is_dir() {
        println!(
            "Extism: not measured, as there is no target {WASM} to build its plugin for; `rustup target add {WASM}`"
        );
        return Ok(());
    }
    let target = root().join("target/bench-extism");
    let build = |manifest: &str, more: &[&str]| {
        let mut cargo = command("cargo");
        cargo.args(["build", "--release", "--locked", "--quiet", "--manifest-path", manifest]).args(more);
        run(cargo.arg("--target-dir").arg(&target))
    };
    build(&format!("{PEER}/guest/Cargo.toml"), &["--target", WASM])?;
    build(&format!("{PEER}/Cargo.toml"), &[])?;
    run(command(&target.join("release/peer-extism").to_string_lossy())
        .arg(target.join(WASM).join("release/guest.wasm")))
}
