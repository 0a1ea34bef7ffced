//! `examples/incidents/`: the outputs there are what today's code makes of the recordings. After a change of what
//! is written, this makes them anew; a test compares.

use std::{fs, path::Path};

use crate::run::{Done, build, command, root, run};

pub(crate) fn renew() -> Done {
    build()?;
    let failed = |what: &str, e: std::io::Error| format!("{what}: {e}");
    let incidents = root().join("examples/incidents");
    let out = root().join("target/renewed");
    for entry in fs::read_dir(&incidents).map_err(|e| failed("examples/incidents", e))? {
        let incident = entry.map_err(|e| failed("examples/incidents", e))?.path();
        if !incident.join("recording").is_dir() {
            continue;
        }
        let _ = fs::remove_dir_all(&out);
        let mut replay = command("target/debug/chaos-handler");
        run(replay.arg("replay").arg(&incident).arg("--out").arg(&out))?;
        let made = fs::read_dir(&out).map_err(|e| failed("target/renewed", e))?.flatten().next();
        let made = made.ok_or("the replay wrote nothing")?.path();
        let charts = incident.join("artifacts");
        if charts.is_dir() {
            fs::remove_dir_all(&charts).map_err(|e| failed("artifacts", e))?;
        }
        copy(&made, &incident).map_err(|e| failed(&incident.display().to_string(), e))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
