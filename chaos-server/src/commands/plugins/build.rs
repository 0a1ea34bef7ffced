//! `plugins build`: from a plugin's directory to a component with its manifest, by the language's own tool.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use chaos_core::error::Error;
use chaos_plugins::{Manifest, embed, inspect, read};

use crate::{
    cli::BuildArgs,
    exit::{Exit, Failure},
    output,
};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) fn build(args: &BuildArgs) -> Result<Exit, Failure> {
    let file = args.dir.join("plugin.toml");
    let text = fs::read_to_string(&file).map_err(|e| Failure::from(Error::storage("read the manifest", &file, e)))?;
    let manifest = Manifest::parse(&text).map_err(|e| e.with("path", file.display()))?;
    let out = args.out.clone().unwrap_or_else(|| args.dir.join(format!("{}.wasm", manifest.name)));
    let component = match &args.component {
        Some(built) => read(built)?,
        None => by_language(&args.dir, &manifest)?,
    };
    let whole = embed(&component, &text)?;
    let about = inspect(&whole)?;
    // Whole or not at all: somebody may be loading it.
    let temporary = out.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::write(&temporary, &whole).and_then(|()| fs::rename(&temporary, &out));
    written.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Failure::storage(&Error::storage("write the component", &out, e))
    })?;
    let (kind, shown) = (about.kind.as_str(), out.display());
    output::print(&format!(
        "{shown}: {kind} {}, {} KiB, SHA-256 {}\n",
        manifest.name,
        whole.len() >> 10,
        about.sha256
    ))?;
    Ok(Exit::Ok)
}

fn by_language(dir: &Path, manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let has = |name: &str| dir.join(name).is_file();
    if has("Cargo.toml") {
        return rust(dir);
    }
    let out = tempfile::Builder::new().prefix("chaos-plugin-").tempdir();
    let out = out.map_err(|e| Failure::storage(&Error::storage("make a directory in", &std::env::temp_dir(), e)))?;
    let built = out.path().join("plugin.wasm");
    let world = |code: &str| -> Result<&'static str, Failure> {
        let text = fs::read_to_string(dir.join(code)).map_err(|e| Error::storage("read", &dir.join(code), e))?;
        let is_fixer = text.contains("exports.Fixer") || text.contains("export const fixer");
        Ok(match (is_fixer, manifest.commands.is_empty()) {
            (true, _) => "fixer-plugin",
            (false, true) => "detector-plugin",
            (false, false) => "probing-detector-plugin",
        })
    };
    if has("app.py") {
        let tool = tool("COMPONENTIZE_PY", "componentize-py");
        let mut command = Command::new(&tool);
        command.current_dir(dir).args([
            "-d",
            "wit",
            "-w",
            world("app.py")?,
            "componentize",
            "--stub-wasi",
            "app",
            "-o",
        ]);
        run(command.arg(&built), &tool, "pip install componentize-py==0.25.1")?;
    } else if has("plugin.js") {
        let tool = tool("COMPONENTIZE_QJS", "componentize-qjs");
        let mut command = Command::new(&tool);
        command.current_dir(dir).args(["--wit", "wit", "--js", "plugin.js", "-n", world("plugin.js")?]);
        command.args(["--stub-wasi", "--sync", "--opt-size", "-o"]);
        run(command.arg(&built), &tool, "npm install -g componentize-qjs@0.4.5")?;
    } else {
        return Err(Failure::usage(format!(
            "{} holds no Cargo.toml, app.py or plugin.js; what was built otherwise is named by --component",
            dir.display()
        )));
    }
    Ok(read(&built)?)
}

fn tool(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map_or_else(|| name.into(), PathBuf::from)
}

/// The compiler's own linker makes a component of a library, where it is told to.
fn rust(dir: &Path) -> Result<Vec<u8>, Failure> {
    let rustc = |args: &[&str]| {
        let output = Command::new("rustc").current_dir(dir).args(args).output();
        let output = output.map_err(|e| missing(Path::new("rustc"), &e, "https://rustup.rs has it"))?;
        Ok::<_, Failure>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let lib = PathBuf::from(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib");
    let version = rustc(&["-vV"])?;
    let host = version.lines().find_map(|l| l.strip_prefix("host: ")).unwrap_or_default();
    if !lib.join(TARGET).is_dir() {
        return Err(Failure::usage(format!(
            "the compiler lacks the target {TARGET}; `rustup target add {TARGET}` gets it"
        )));
    }
    let bin = lib.join(host).join("bin");
    let flags = format!(
        // A search looks at 16 bytes at a time.
        "-Clinker={} -Clinker-flavor=wasm-ld -Clink-arg=--wasm-ld-path={} -Ctarget-feature=+simd128",
        bin.join("wasm-component-ld").display(),
        bin.join("gcc-ld/wasm-ld").display()
    );
    let out = std::path::absolute(dir.join("target")).map_err(|e| Error::storage("find", dir, e))?;
    let mut command = Command::new("cargo");
    command.current_dir(dir).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
    command.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(&out);
    run(&mut command, Path::new("cargo"), "https://rustup.rs has it")?;
    let cargo =
        fs::read_to_string(dir.join("Cargo.toml")).map_err(|e| Error::storage("read", &dir.join("Cargo.toml"), e))?;
    let name =
        cargo.parse::<toml::Table>().ok().and_then(|t| t.get("package")?.get("name")?.as_str().map(str::to_owned));
    let name = name.ok_or_else(|| Failure::usage("Cargo.toml names no package"))?;
    Ok(read(&out.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_"))))?)
}

fn run(command: &mut Command, tool: &Path, get: &str) -> Result<(), Failure> {
    let status = command.status().map_err(|e| missing(tool, &e, get))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} failed ({status}); what it said stands above", tool.display())))
}

fn missing(tool: &Path, e: &io::Error, get: &str) -> Failure {
    Failure::usage(format!("can't run {}: {e}; {get}", tool.display()))
}
