//! The served API held against its own description by schemathesis, which makes requests of the OpenAPI document, right
//! ones and wrong ones: no answer may be a server's error, or other than it is described. Where it can't be had that is
//! said, and in CI it is a failure.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    dashboard::skipped,
    run::{Done, build, command, root, run},
};

const TESTER: &str = "schemathesis==4.32.5";
const VENV: &str = "target/api-venv";
/// How the tester is set up, and what is not checked, and why.
const RULES: &str = "chaos-server/tests/schemathesis.toml";
/// Requests for each route and kind of request.
const EXAMPLES: &str = "40";
/// However long it would go on.
const MOST: Duration = Duration::from_secs(180);
const TOKEN: &str = "a-token-of-the-tests";
/// An incident that is there and over; `RULES` names it.
const KNOWN: &str = "inc-20260101-001";

pub(crate) fn test() -> Done {
    if let Err(why) = installed() {
        return skipped("the API's description, tested by schemathesis", &why);
    }
    build()?;
    let dir = root().join("target/api-test");
    let _ = fs::remove_dir_all(&dir);
    let server = Server::start(&dir)?;
    // Any ids, as the description has them; then one that is there, so that answers are too.
    tested(&server, &["--phases", "examples,coverage,fuzzing,stateful"], "")?;
    let there = format!("[parameters]\n\"path.id\" = \"{KNOWN}\"\n\n");
    tested(&server, &["--phases", "coverage,fuzzing", "--include-path-regex", r"\{id\}"], &there)
}

fn python() -> PathBuf {
    root().join(VENV).join("bin/python")
}

/// Makes the tester be there, or says why it can't be.
fn installed() -> Result<(), String> {
    let quiet = |command: &mut Command| {
        let done = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
        let said = String::from_utf8_lossy(&done.stderr).trim().lines().last().unwrap_or_default().to_owned();
        if done.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}").replace('"', "")) }
    };
    let has = |python: &Path| {
        let name = TESTER.split("==").next().unwrap_or(TESTER);
        let version = TESTER.rsplit("==").next().unwrap_or_default();
        let code = format!("from importlib.metadata import version as v; assert v({name:?}) == {version:?}");
        quiet(Command::new(python).args(["-c", &code])).is_ok()
    };
    let python = python();
    if has(&python) {
        return Ok(());
    }
    quiet(command("python3").args(["-m", "venv", VENV]))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", TESTER];
    quiet(command(&python.to_string_lossy()).args(pip))
}

/// The server, over targets that are recordings only; it ends with its value.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(dir: &Path) -> Result<Self, String> {
        let recorded = root().join("examples/incidents/cpu_spike");
        let known = dir.join("incidents").join(KNOWN);
        fs::create_dir_all(&known).map_err(|e| format!("{}: {e}", known.display()))?;
        let mut copy = command("cp");
        run(copy.arg("-r").arg(recorded.join(".")).arg(&known))?;
        // `web1` is the target that the description's examples name.
        let text = format!(
            "incidents = 'incidents'\nallow_apply = true\n[server]\nmax_running = 4\nseveral_per_target = true\n\
             [[server.tokens]]\nname = 'tester'\nrole = 'approve'\nenv = 'CHAOS_TOKEN'\n[targets.web1]\nreplay = {recorded:?}\n"
        );
        fs::write(dir.join("chaos-handler.toml"), text).map_err(|e| e.to_string())?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
        let mut child = Command::new(target.join("debug/chaos-handler"))
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(dir)
            .env("HOME", dir)
            .env("CHAOS_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("chaos-handler: {e}"))?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|e| e.to_string())?;
        let url = line.split('"').find(|part| part.starts_with("http://")).map(str::to_owned);
        let mut server = Self { child, url: String::new() };
        server.url = url.ok_or_else(|| format!("it does not listen: {line}"))?;
        Ok(server)
    }
}

/// Runs the tester with the rules, and others before them.
fn tested(server: &Server, args: &[&str], more: &str) -> Done {
    let rules = fs::read_to_string(root().join(RULES)).map_err(|e| format!("{RULES}: {e}"))?;
    let file = root().join("target/api-test/schemathesis.toml");
    fs::write(&file, format!("{more}{rules}")).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut tester = command(&python().to_string_lossy());
    // It keeps what it found where it runs.
    tester.current_dir(root().join("target/api-test"));
    tester.args(["-m", "schemathesis.cli", "--config-file"]).arg(&file);
    tester.args(["run", &format!("{}/openapi.json", server.url), "--max-examples", EXAMPLES]).args(args);
    // The same requests each time; another seed finds what others would.
    let seed = env::var("CHAOS_API_SEED").unwrap_or_else(|_| "1".into());
    tester.args(["--seed", &seed]);
    tester.args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--request-timeout", "40"]);
    eprintln!("xtask: schemathesis run {}/openapi.json {}", server.url, args.join(" "));
    let mut child = tester.spawn().map_err(|e| format!("schemathesis: {e}"))?;
    let until = Instant::now() + MOST;
    loop {
        match child.try_wait().map_err(|e| format!("schemathesis: {e}"))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("schemathesis: {status}")),
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("schemathesis took longer than {} s", MOST.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(100)),
        }
    }
}
